#!/bin/sh
# Each line of standard input becomes a task: printf 'Buy milk\nWalk the dog\n' | sh examples/add_lines.sh
# Needs curl alone. REST, NAME and PASSWORD in the environment where they are not the demo's.
set -eu

rest=${REST:-http://localhost:8001/}
login=$(curl -sS --fail-with-body "${rest}login/" \
    --data-urlencode "username=${NAME:-ann}" --data-urlencode "password=${PASSWORD:-correct-horse}")
token=$(printf '%s' "$login" | sed -n 's/.*"access": *"\([^"]*\)".*/\1/p')

while IFS= read -r line || [ -n "$line" ]; do
    curl -sS --fail-with-body "$rest" -H "Authorization: Bearer $token" --data-urlencode "task=$line"
    echo
done
