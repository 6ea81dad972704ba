// `node check.mjs FILE`: whether each manifest of the JSON list in FILE is what its CustomResourceDefinition wants.
// The validators know what is required and which values there are, but pass unknown fields; the types know all
// fields. Prints a line for each finding, and ends with 1 if there are any.
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const PACKAGES = {
  "keda.sh": "keda",
  "monitoring.coreos.com": "prometheus-operator",
  "external-secrets.io": "external-secrets",
};
const here = dirname(fileURLToPath(import.meta.url));
const manifests = JSON.parse(readFileSync(resolve(process.argv[2]), "utf8"));
const findings = [];
const lines = [];

for (const [index, manifest] of manifests.entries()) {
  const { apiVersion, kind, metadata } = manifest;
  const model = `@kubernetes-models/${PACKAGES[apiVersion.split("/")[0]]}/${apiVersion}/${kind}`;
  const { [kind]: Model } = await import(model);
  try {
    new Model(manifest).validate();
  } catch (error) {
    findings.push(`${kind}/${metadata.name}: ${error.message}`);
  }
  lines.push(`import type { I${kind} as T${index} } from "${model}";`);
  lines.push(`export const m${index}: T${index} = ${JSON.stringify(manifest)};`);
}

const source = join(here, "manifests.ts");
writeFileSync(source, lines.join("\n") + "\n");
const program = ts.createProgram([source], {
  noEmit: true,
  strict: true,
  skipLibCheck: true,
  exactOptionalPropertyTypes: true,
  types: [],
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
});
for (const found of ts.getPreEmitDiagnostics(program)) {
  findings.push(ts.flattenDiagnosticMessageText(found.messageText, " "));
}

console.log(findings.join("\n"));
process.exit(findings.length ? 1 : 0);
