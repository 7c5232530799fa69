"""The OpenAPI document: what each method of each path takes and answers, and the document made of that."""
