import { join } from 'node:path'
import ts from 'typescript'
import { ROOT } from '../cli/built.ts'

/** What the compiler says of a file of this text in this folder, with the package's sources as `headrace`. */
export function diagnose(text: string): readonly string[] {
  const file = join(ROOT, 'test/public-api/screen.ts')
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files: [] }, ts.sys, ROOT)
  const settings = { ...options, noEmit: true, paths: { headrace: [join(ROOT, 'src/index.ts')] } }
  const host = ts.createCompilerHost(settings)
  const { getSourceFile, fileExists } = host
  host.fileExists = (name) => name === file || fileExists(name)
  host.getSourceFile = (name, ...rest) =>
    name === file ? ts.createSourceFile(file, text, ts.ScriptTarget.ES2023) : getSourceFile(name, ...rest)
  const program = ts.createProgram([file], settings, host)
  const source = program.getSourceFile(file)
  return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)].map(
    ({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' '),
  )
}
