/**
 * Verification of an image's bytes against its metadata: the same number, and the same digest.
 *
 * The hash the image names is preferred; its MD5 only stands in when there is no hash this Node can compute, and then
 * guards against accidents, not against a forger. An image with neither is only measured, but one whose only digest is a hash
 * that nobody here can compute is refused: it was meant to be compared.
 */
import { createHash, getHashes } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import type { Content } from '../lib/file-content.ts';
import type { Image } from '../model/image.ts';

interface Expected {
  readonly algorithm: string;
  readonly value: string;
}

const CHUNK = 1024 * 1024;

/** Why they are not; null when they are. */
export async function mismatch(file: FileHandle, image: Image, signal: AbortSignal): Promise<string | null> {
  const { size } = await file.stat();
  if (image.sizeBytes !== null && size !== image.sizeBytes) return `it has ${size} bytes instead of ${image.sizeBytes}`;
  const expected = expectedOf(image);
  if (expected === null) return image.hash === null ? null : `its hash, ${image.hash.algorithm}, is not known here`;
  const value = await digest(file, expected.algorithm, signal);
  return value === expected.value.toLowerCase() ? null : `its ${expected.algorithm} is not the one it should have`;
}

/** Why an image is not what it was made of; null when it is. `sha512`: of the content, when it is known already. */
export async function unlike(
  image: Image,
  content: Content,
  sha512: string | undefined,
  signal: AbortSignal,
): Promise<string | null> {
  if (image.sizeBytes !== content.bytes) return `it has ${image.sizeBytes} bytes instead of ${content.bytes}`;
  const expected = expectedOf(image);
  if (expected === null) return image.hash === null ? null : `its hash, ${image.hash.algorithm}, is not known here`;
  const known = expected.algorithm.toLowerCase() === 'sha512' ? sha512 : undefined;
  const value = known ?? (await digestOf(content, expected.algorithm, signal));
  return value === expected.value.toLowerCase() ? null : `its ${expected.algorithm} is another`;
}

async function digestOf(content: Content, algorithm: string, signal: AbortSignal): Promise<string> {
  const hash = createHash(algorithm);
  for await (const piece of content.read(signal)) hash.update(piece);
  return hash.digest('hex');
}

function expectedOf({ hash, checksum }: Image): Expected | null {
  const algorithm = hash === null ? undefined : nodeName(hash.algorithm);
  if (hash !== null && algorithm !== undefined) return { algorithm, value: hash.value };
  return checksum === null ? null : { algorithm: 'md5', value: checksum };
}

/** Glance names hashes as Python does, Node as OpenSSL does. Undefined: Node has none of this name. */
function nodeName(algorithm: string): string | undefined {
  const name = algorithm.toLowerCase().replaceAll('_', '-');
  return getHashes().find((each) => each.toLowerCase() === (OTHER_NAMES[name] ?? name));
}

const OTHER_NAMES: Readonly<Record<string, string>> = { blake2b: 'blake2b512', blake2s: 'blake2s256' };

async function digest(file: FileHandle, algorithm: string, signal: AbortSignal): Promise<string> {
  const hash = createHash(algorithm);
  const buffer = Buffer.alloc(CHUNK);
  for (let at = 0; ; ) {
    signal.throwIfAborted();
    const { bytesRead } = await file.read(buffer, 0, CHUNK, at);
    if (bytesRead === 0) return hash.digest('hex');
    hash.update(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
}
