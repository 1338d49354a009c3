// What declarations offer to users: the names that a file exports, and for each the members with their types, written down as text so that
// those of two packages can be compared line by line. Names of parameters, and of types that only the package itself knows, do not count.

import { join } from "node:path";
import * as ts from "typescript";

const ROOT = join(__dirname, "..", "..");

/** The members of each export; `=` stands for the type of what is no class and no interface. */
export type Surface = Map<string, Map<string, string>>;

/** Reads the surfaces of files by one compiler, in their order. */
export function readSurfaces(files: string[]): Surface[] {
  const program = ts.createProgram(files, {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.CommonJS,
    moduleResolution: ts.ModuleResolutionKind.Node10,
    ignoreDeprecations: "6.0",
    esModuleInterop: true,
    strict: true,
    noEmit: true,
    types: ["node"],
    typeRoots: [join(ROOT, "node_modules/@types")],
  });
  const reader = new SurfaceReader(program.getTypeChecker());
  return files.map((file) => reader.read(program.getSourceFile(file) as ts.SourceFile));
}

const FORMAT =
  ts.TypeFormatFlags.NoTruncation |
  ts.TypeFormatFlags.WriteArrowStyleSignature |
  ts.TypeFormatFlags.UseAliasDefinedOutsideCurrentScope;

class SurfaceReader {
  constructor(private readonly checker: ts.TypeChecker) {}

  read(file: ts.SourceFile): Surface {
    const module = this.checker.getSymbolAtLocation(file) as ts.Symbol;
    const surface: Surface = new Map();
    for (const exported of this.checker.getExportsOfModule(module)) {
      const isAlias = (exported.flags & ts.SymbolFlags.Alias) !== 0;
      const symbol = isAlias ? this.checker.getAliasedSymbol(exported) : exported;
      surface.set(exported.name, this.membersOf(symbol));
    }
    return surface;
  }

  private membersOf(symbol: ts.Symbol): Map<string, string> {
    const { checker } = this;
    const declared = checker.getDeclaredTypeOfSymbol(symbol);
    if ((symbol.flags & ts.SymbolFlags.Class) !== 0) {
      const statics = checker.getTypeOfSymbol(symbol);
      const constructors = checker.getSignaturesOfType(statics, ts.SignatureKind.Construct);
      return new Map([
        ["generics", this.genericsOf(declared as ts.InterfaceType)],
        ["new", constructors.map((signature) => this.parametersOf(signature)).join(" & ")],
        ...this.propertiesOf(declared, ""),
        ...this.propertiesOf(statics, "static "),
      ]);
    }
    if ((symbol.flags & ts.SymbolFlags.Interface) !== 0) {
      return new Map(this.propertiesOf(declared, ""));
    }
    if ((symbol.flags & ts.SymbolFlags.TypeAlias) !== 0) {
      const isClass = declared.isClass();
      return isClass ? this.membersOf(declared.symbol) : this.aliased(symbol, declared);
    }
    return new Map([["=", this.shapeOf(checker.getTypeOfSymbol(symbol))]]);
  }

  /** An alias with parameters is a calculation, which no text can be compared of; the topics beside this use it. */
  private aliased(symbol: ts.Symbol, declared: ts.Type): Map<string, string> {
    const parameters = symbol.declarations?.flatMap((declaration) =>
      ts.isTypeAliasDeclaration(declaration) ? (declaration.typeParameters ?? []) : [],
    );
    if (parameters !== undefined && parameters.length > 0) {
      return new Map([["parameters", String(parameters.length)]]);
    }
    return new Map([["=", this.text(declared, ts.TypeFormatFlags.InTypeAlias)]]);
  }

  private genericsOf({ typeParameters = [] }: ts.InterfaceType): string {
    const part = (type: ts.Type | undefined) => (type === undefined ? "nothing" : this.text(type));
    return typeParameters
      .map((type) => `${part(type)}: ${part(type.getConstraint())} = ${part(type.getDefault())}`)
      .join(", ");
  }

  /** Members that users can reach, without those that Node's classes bring. */
  private propertiesOf(type: ts.Type, prefix: string): [string, string][] {
    return this.checker.getPropertiesOfType(type).flatMap((property): [string, string][] => {
      const declaration = property.declarations?.[0];
      if (declaration === undefined || property.name === "prototype") {
        return [];
      }
      const modifiers = ts.getCombinedModifierFlags(declaration);
      const isForeign = /node_modules\/(@types\/node|typescript)\//.test(
        declaration.getSourceFile().fileName,
      );
      if (isForeign || (modifiers & ts.ModifierFlags.Private) !== 0) {
        return [];
      }
      const access = (modifiers & ts.ModifierFlags.Protected) !== 0 ? "protected " : "";
      const optional = (property.flags & ts.SymbolFlags.Optional) !== 0 ? "?" : "";
      const shape = this.shapeOf(this.checker.getTypeOfSymbol(property));
      return [[prefix + property.name, `${access}${optional}${shape}`]];
    });
  }

  private shapeOf(type: ts.Type): string {
    const signatures = this.checker.getSignaturesOfType(type, ts.SignatureKind.Call);
    if (signatures.length === 0) {
      return this.text(type);
    }
    return signatures
      .map((signature) => {
        const constraints = (signature.getTypeParameters() ?? []).map((parameter) => {
          const constraint = parameter.getConstraint();
          return constraint === undefined ? "_" : this.text(constraint);
        });
        const generics = constraints.length > 0 ? `<${constraints.join(", ")}>` : "";
        return `${generics}${this.parametersOf(signature)} => ${this.text(signature.getReturnType())}`;
      })
      .join(" & ");
  }

  private parametersOf(signature: ts.Signature): string {
    const parameters = signature.getParameters().map((parameter) => {
      const declaration = parameter.valueDeclaration as ts.ParameterDeclaration | undefined;
      const rest = declaration?.dotDotDotToken === undefined ? "" : "...";
      const optional = declaration?.questionToken === undefined ? "" : "?";
      return `${rest}${optional}${this.text(this.checker.getTypeOfSymbol(parameter))}`;
    });
    return `(${parameters.join(", ")})`;
  }

  private text(type: ts.Type, flags = 0): string {
    return this.checker
      .typeToString(type, undefined, FORMAT | flags)
      .replace(/\b\w+(\??): /g, "$1") // names of parameters and of members in literals
      .replace(/import\("[^"]*?([\w.-]+)(?:\/build\/esm\/index)?"\)/g, 'import("$1")')
      .replace(/\bEventParams<(\w+(?:<\w+>)?), Ev>/g, "Parameters<$1[Ev]>")
      .replace(/\bFallbackToUntypedListener</g, "ListenerOr<")
      .replace(/\bSymbol\b/g, "symbol")
      .replace(/\bListener\b/g, "((...any[]) => void)")
      .replace(/\(\(\.\.\.any\[\]\) => void\)(?! \||\[\])/g, "(...any[]) => void");
  }
}
