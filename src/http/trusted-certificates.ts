/** Certificate authorities of a file, trusted beside Node's own, for TLS to other services. */
import { readFileSync } from 'node:fs';

/** Known to the command line by its name, as a mistake of whoever wrote the configuration. */
class CertificatesUnusable extends Error {
  override readonly name = 'CertificatesUnusable';
}

/**
 * The certificates of a file that an option names, as text (PEM); undefined without a file. Read once: a new file takes a restart. Throws an
 * error that names the option, so that a service does not start with trust that is not there.
 */
export function trustedCertificates(option: string, file: string | undefined): string | undefined {
  if (file === undefined) return undefined;
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new CertificatesUnusable(`${option}: the certificates in ${file} cannot be read.`, { cause: error });
  }
  if (!text.includes('-----BEGIN CERTIFICATE-----'))
    throw new CertificatesUnusable(`${option}: there is no certificate in ${file}.`);
  return text;
}
