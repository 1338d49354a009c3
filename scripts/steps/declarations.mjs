// Takes out of the declarations in dist/ what users neither see nor can use: members under the symbols of lib/own.ts and of the like.

import { readFileSync, writeFileSync } from "node:fs";
import ts from "typescript";

/** The modules of symbols, by the names under which every file imports them. */
const SYMBOL_MODULES = new Set(["own", "inEngine", "inTransport"]);

/**
 * Rewrites declaration files without such members, and without the imports that only these needed.
 *
 * @param {string[]} files
 */
export function stripSymbolMembers(files) {
  for (const file of files) {
    const text = readFileSync(file, "utf8");
    const stripped = withoutSymbolMembers(file, text);
    if (stripped !== text) writeFileSync(file, stripped);
  }
}

function withoutSymbolMembers(file, text) {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const members = [];
  const imports = [];
  const uses = new Set();
  const visit = (node) => {
    if (node.name && ts.isComputedPropertyName(node.name) && isOfSymbolModule(node.name)) {
      members.push(node);
      return;
    }
    if (ts.isImportDeclaration(node) && SYMBOL_MODULES.has(namespaceOf(node))) {
      imports.push(node);
      return;
    }
    if (ts.isIdentifier(node)) uses.add(node.text);
    ts.forEachChild(node, visit);
  };
  visit(source);
  const unused = imports.filter((node) => !uses.has(namespaceOf(node)));
  // A member goes with its comment; what stands before the first import is the comment of the file.
  return [
    ...members.map(({ pos, end }) => [pos, end]),
    ...unused.map((node) => [node.getStart(), node.end + 1]),
  ]
    .sort(([a], [b]) => b - a)
    .reduce((rest, [start, end]) => rest.slice(0, start) + rest.slice(end), text);
}

function isOfSymbolModule({ expression }) {
  return (
    ts.isPropertyAccessExpression(expression) &&
    ts.isIdentifier(expression.expression) &&
    SYMBOL_MODULES.has(expression.expression.text)
  );
}

function namespaceOf({ importClause }) {
  const bindings = importClause?.namedBindings;
  return bindings && ts.isNamespaceImport(bindings) ? bindings.name.text : undefined;
}
