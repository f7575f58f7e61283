#!/usr/bin/env node
/**
 * Writes software bills of materials in CycloneDX's JSON: what is installed by package-lock.json, tools for development
 * included and marked, and by the pinned requirements of each Python environment. Each is checked against CycloneDX's
 * schema before it is written. Reads files of this checkout only; npm itself reads package-lock.json.
 *
 *   node scripts/sbom.mjs [folder]    default: sbom/
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Enums, Models, Serialize, Spec, Validation } from '@cyclonedx/cyclonedx-library';
import { PackageURL } from 'packageurl-js';
import { parseRequirements } from './setup/requirements.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { name, version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** The requirements of each environment of `dataengine setup`. */
const pythonEnvironments = {
  python: 'scripts/setup/requirements.lock.txt',
  torch: 'src/trainer/torch/requirements.lock.txt',
  deepspeed: 'src/trainer/torch/requirements-deepspeed.lock.txt',
};

async function main(folder) {
  mkdirSync(folder, { recursive: true });
  await write(join(folder, 'npm.cdx.json'), npmBill());
  for (const [environment, file] of Object.entries(pythonEnvironments)) {
    await write(join(folder, `${environment}.cdx.json`), pythonBill(environment, file));
  }
}

/** By npm, which names the project by its folder. */
function npmBill() {
  const words = ['sbom', '--package-lock-only', '--sbom-format=cyclonedx', '--sbom-type=application'];
  const { stdout, stderr, status, error } = spawnSync('npm', words, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  if (status !== 0) throw new Error(`npm sbom failed: ${error?.message ?? stderr}`);
  const bill = JSON.parse(stdout);
  bill.metadata.component.name = name;
  return bill;
}

function pythonBill(environment, file) {
  const bill = new Models.Bom();
  const project = new Models.Component(Enums.ComponentType.Application, `${name}-${environment}`, {
    version,
    bomRef: `${name}-${environment}@${version}`,
  });
  bill.metadata.component = project;
  bill.metadata.timestamp = new Date();
  for (const requirement of parseRequirements(readFileSync(join(root, file), 'utf8'), file)) {
    const component = pythonComponent(requirement);
    bill.components.add(component);
    project.dependencies.add(component.bomRef);
  }
  const serializer = new Serialize.JsonSerializer(new Serialize.JSON.Normalize.Factory(Spec.Spec1dot5));
  return JSON.parse(serializer.serialize(bill, { sortLists: true }));
}

/** Each file of a package has a hash of its own: a reference each. */
function pythonComponent({ name: packageName, version: packageVersion, hashes, marker }) {
  const purl = new PackageURL('pypi', undefined, packageName, packageVersion, undefined, undefined).toString();
  const component = new Models.Component(Enums.ComponentType.Library, packageName, {
    version: packageVersion,
    bomRef: marker === undefined ? purl : `${purl}; ${marker}`,
    purl,
  });
  for (const hash of hashes) {
    const url = `https://pypi.org/simple/${packageName}/`;
    const file = new Models.ExternalReference(url, Enums.ExternalReferenceType.Distribution, {
      hashes: new Models.HashDictionary([[Enums.HashAlgorithm['SHA-256'], hash]]),
    });
    component.externalReferences.add(file);
  }
  if (marker !== undefined) component.properties.add(new Models.Property('dataengine:python:marker', marker));
  return component;
}

async function write(file, bill) {
  const text = `${JSON.stringify(bill, undefined, 2)}\n`;
  const problem = await new Validation.JsonStrictValidator(Spec.Version.v1dot5).validate(text);
  if (problem !== null) throw new Error(`${file} does not fit CycloneDX's schema: ${JSON.stringify(problem)}`);
  writeFileSync(file, text);
  console.log(`✓ ${relative(process.cwd(), file)}: ${bill.components.length} packages`);
}

await main(process.argv[2] ?? join(root, 'sbom'));
