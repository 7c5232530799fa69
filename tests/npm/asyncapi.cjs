// What AsyncAPI's parser says of the document in a file: a list of findings, in JSON.
'use strict';

const {readFileSync} = require('node:fs');
const {Parser} = require('@asyncapi/parser');

new Parser().validate(readFileSync(process.argv[2], 'utf8')).then((findings) => {
    console.log(JSON.stringify(findings.map(({code, path, message}) => ({code, path, message}))));
});
