/** Finds, by the types of TypeScript, where a path is joined to a text that may come from data. */
import { relative } from 'node:path';
import ts from 'typescript';

/** A join of a text that is none of the program's own. */
export interface DataJoin {
  file: string;
  line: number;
  /** The argument, as it is written. */
  argument: string;
}

/** Methods that make an own text of own ones. */
const textMethods = new Set(['padStart', 'replace', 'slice', 'toString']);

/** What makes a name of its own: hexadecimal digits. */
const hashes = new Set(['hashBytes', 'hashFile', 'hashValue', 'randomBytes', 'randomUUID']);

/**
 * Every later argument of `join` and `resolve` of `node:path` that is not a text of the program: a literal, a constant, a
 * number, a hash, or a template or a function of those alone. The first argument is the folder that is joined to.
 */
export function dataJoinsOf(program: ts.Program, root: string, isChecked: (file: string) => boolean): DataJoin[] {
  const checker = program.getTypeChecker();
  const found: DataJoin[] = [];
  for (const source of program.getSourceFiles()) {
    const file = relative(root, source.fileName);
    if (!isChecked(file)) continue;
    const isJoin = joinsOf(source);
    const visit = (node: ts.Node): void => {
      if (ts.isCallExpression(node) && isJoin(node.expression)) {
        for (const argument of node.arguments.slice(1)) {
          if (isOwnText(checker, argument)) continue;
          const { line } = source.getLineAndCharacterOfPosition(argument.getStart());
          found.push({ file, line: line + 1, argument: argument.getText() });
        }
      }
      ts.forEachChild(node, visit);
    };
    visit(source);
  }
  return found;
}

/** Whether an expression of a file is `join` or `resolve` of `node:path`, under whatever name it was imported. */
function joinsOf(source: ts.SourceFile): (callee: ts.Expression) => boolean {
  const functions = new Set<string>();
  const modules = new Set<string>();
  for (const statement of source.statements) {
    if (!ts.isImportDeclaration(statement)) continue;
    if (!/^(node:)?path(\/|$)/.test((statement.moduleSpecifier as ts.StringLiteral).text)) continue;
    const { name, namedBindings } = statement.importClause ?? {};
    if (name !== undefined) modules.add(name.text);
    if (namedBindings === undefined) continue;
    if (ts.isNamespaceImport(namedBindings)) modules.add(namedBindings.name.text);
    else {
      for (const { propertyName, name: local } of namedBindings.elements) {
        const imported = (propertyName ?? local).text;
        if (imported === 'join' || imported === 'resolve') functions.add(local.text);
        if (['default', 'posix', 'win32'].includes(imported)) modules.add(local.text);
      }
    }
  }
  const isModule = (node: ts.Expression): boolean =>
    ts.isIdentifier(node) ? modules.has(node.text) : ts.isPropertyAccessExpression(node) && isModule(node.expression);
  return (callee) =>
    ts.isIdentifier(callee)
      ? functions.has(callee.text)
      : ts.isPropertyAccessExpression(callee) &&
        ['join', 'resolve'].includes(callee.name.text) &&
        isModule(callee.expression);
}

function isOwnText(checker: ts.TypeChecker, node: ts.Expression, depth = 0): boolean {
  if (depth > 8) return false;
  const isOwn = (part: ts.Expression) => isOwnText(checker, part, depth + 1);
  if (isOfLiterals(checker.getTypeAtLocation(node))) return true;
  if (ts.isTemplateExpression(node)) {
    return node.templateSpans.every(({ expression }) => isOwn(expression) || isLastName(expression));
  }
  if (ts.isArrayLiteralExpression(node)) return node.elements.every(isOwn);
  if (ts.isElementAccessExpression(node)) return isOwn(node.expression);
  if (ts.isAsExpression(node)) return isOwn(node.expression);
  if (ts.isParenthesizedExpression(node)) return isOwn(node.expression);
  if (ts.isConditionalExpression(node)) return isOwn(node.whenTrue) && isOwn(node.whenFalse);
  if (ts.isBinaryExpression(node)) return isOwn(node.left) && isOwn(node.right);
  if (ts.isIdentifier(node)) return isOwnDeclaration(checker, node, isOwn);
  if (ts.isAwaitExpression(node)) return isOwn(node.expression);
  if (!ts.isCallExpression(node)) return false;
  const { expression: callee } = node;
  if (ts.isIdentifier(callee)) {
    if (callee.text === 'String') return node.arguments.every(isOwn);
    return hashes.has(callee.text) || isOwnDeclaration(checker, callee, isOwn);
  }
  if (!ts.isPropertyAccessExpression(callee) || !textMethods.has(callee.name.text)) return false;
  return isOwn(callee.expression) && node.arguments.every(isOwn);
}

/** The last name of a path, with other text around it: it is no `..` then. */
function isLastName(node: ts.Expression): boolean {
  if (!ts.isCallExpression(node)) return false;
  const { expression: callee } = node;
  return (ts.isPropertyAccessExpression(callee) ? callee.name : callee).getText() === 'basename';
}

/** A constant of an own text, or a function that returns one. */
function isOwnDeclaration(
  checker: ts.TypeChecker,
  name: ts.Identifier,
  isOwn: (node: ts.Expression) => boolean,
): boolean {
  let symbol = checker.getSymbolAtLocation(name);
  if (symbol !== undefined && symbol.flags & ts.SymbolFlags.Alias) symbol = checker.getAliasedSymbol(symbol);
  const declaration = symbol?.valueDeclaration;
  if (declaration === undefined) return false;
  if (ts.isFunctionDeclaration(declaration)) return returnsOwn(declaration.body, isOwn);
  if (ts.isParameter(declaration)) return isOfOwnList(declaration, isOwn);
  if (!ts.isVariableDeclaration(declaration) || !ts.isVariableDeclarationList(declaration.parent)) return false;
  if (!(declaration.parent.flags & ts.NodeFlags.Const)) return false;
  const { initializer, parent } = declaration;
  if (initializer === undefined) return ts.isForOfStatement(parent.parent) && isOwn(parent.parent.expression);
  return ts.isArrowFunction(initializer) ? returnsOwn(initializer.body, isOwn) : isOwn(initializer);
}

/** The parameter of the function that a list of own texts is mapped by. */
function isOfOwnList(parameter: ts.ParameterDeclaration, isOwn: (node: ts.Expression) => boolean): boolean {
  const { parent: mapper } = parameter;
  const call = mapper.parent;
  if (!ts.isArrowFunction(mapper) || !ts.isCallExpression(call) || mapper.parameters[0] !== parameter) return false;
  const { expression: callee } = call;
  return ts.isPropertyAccessExpression(callee) && callee.name.text === 'map' && isOwn(callee.expression);
}

function returnsOwn(body: ts.ConciseBody | undefined, isOwn: (node: ts.Expression) => boolean): boolean {
  if (body === undefined) return false;
  if (!ts.isBlock(body)) return isOwn(body);
  const [statement, ...others] = body.statements;
  if (statement === undefined || others.length > 0 || !ts.isReturnStatement(statement)) return false;
  return statement.expression !== undefined && isOwn(statement.expression);
}

function isOfLiterals(type: ts.Type): boolean {
  if (type.isUnion()) return type.types.every(isOfLiterals);
  return type.isStringLiteral() || (type.flags & (ts.TypeFlags.NumberLike | ts.TypeFlags.BooleanLike)) !== 0;
}
