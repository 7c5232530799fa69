"""The JavaScript client, in Node and in Chromium, against the real processes."""
