// Compiles a program that uses the package `taskbeam`. Arguments: its file, which imports from the package. Prints, as JSON, what the
// compiler says, and the members of each class that the package declares, with those that it inherits from others of the package.
'use strict';

const ts = require('../npm/node_modules/typescript');

const program = ts.createProgram([process.argv[2]], {
    strict: true,
    noEmit: true,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    lib: ['lib.es2022.d.ts', 'lib.dom.d.ts'],
    types: [],
    skipDefaultLibCheck: true,
});
const said = ts.getPreEmitDiagnostics(program).map(({messageText}) => ts.flattenDiagnosticMessageText(messageText, '\n'));
const checker = program.getTypeChecker();
const declarations = program.getSourceFiles().find(({fileName}) => fileName.endsWith('/taskbeam.d.ts'));

/** Of the declarations' own, and not of `Error` or `EventTarget`. */
const ours = ({declarations: found}) => found.some((each) => each.getSourceFile() === declarations && !ts.isTypeParameterDeclaration(each));
const members = {};
for (const symbol of checker.getExportsOfModule(checker.getSymbolAtLocation(declarations))) {
    if (symbol.flags & ts.SymbolFlags.Class) {
        const statics = [...symbol.exports.values()];
        const all = [...checker.getPropertiesOfType(checker.getDeclaredTypeOfSymbol(symbol)), ...statics];
        members[symbol.name] = all.filter((each) => each.name !== 'prototype' && ours(each)).map(({name}) => name).sort();
    }
}
console.log(JSON.stringify({said, members}));
