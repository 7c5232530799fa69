// What a file of TypeScript declarations exports, in its order. Arguments: TypeScript's folder, the file. Prints JSON: for each name its
// kind, its comment, what it extends, its declaration as text where that is short, and its members alike.
'use strict';

const [typescript, file] = process.argv.slice(2);
const ts = require(typescript);
const source = ts.createSourceFile(file, require('fs').readFileSync(file, 'utf8'), ts.ScriptTarget.ES2022, true);

const comment = (node) => ts.getJSDocCommentsAndTags(node).map((each) => ts.getTextOfJSDocComment(each.comment) ?? '').join('\n');
const text = (node) => node.getText(source).replace(/\s+/g, ' ').replace(/\(\s+/g, '(').replace(/,?\s+\)/g, ')');

/** A member without its comments. */
function member(node) {
    const isCall = Boolean(node.parameters);
    return {
        name: node.name ? text(node.name) : 'constructor',
        isCall,
        isStatic: Boolean(node.modifiers?.some(({kind}) => kind === ts.SyntaxKind.StaticKeyword)),
        isOptional: Boolean(node.questionToken),
        type: node.type ? text(node.type) : '',
        typeParameters: (node.typeParameters ?? []).map(text),
        parameters: isCall ? node.parameters.map(text) : [],
        comment: comment(node),
    };
}

const kinds = {
    [ts.SyntaxKind.ClassDeclaration]: 'class',
    [ts.SyntaxKind.InterfaceDeclaration]: 'interface',
    [ts.SyntaxKind.TypeAliasDeclaration]: 'type',
};
console.log(JSON.stringify(source.statements.map((node) => {
    const kind = kinds[node.kind];
    if (!kind) throw new Error(`no kind: ${text(node)}`);
    const extended = (node.heritageClauses ?? []).filter(({token}) => token === ts.SyntaxKind.ExtendsKeyword);
    return {
        name: node.name.text,
        kind,
        comment: comment(node),
        base: extended.flatMap(({types}) => types.map(text))[0] ?? null,
        type: node.type ? text(node.type) : '',
        members: (node.members ?? []).map(member),
    };
})));
