/* certificate: self-signed certificates made at run time, as PEM files in a temporary directory. */
#ifndef MOONGATE_TESTS_IO_CERTIFICATE_H
#define MOONGATE_TESTS_IO_CERTIFICATE_H

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"

struct certificate {
  char folder[64], chain[96], key[96];
};

/* Writes (again) a certificate for that common name over c's files. */
static inline void certificate_write(struct certificate *c, const char *common_name) {
  EVP_PKEY *key = EVP_EC_gen("P-256");
  X509 *x = X509_new();
  X509_set_version(x, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
  X509_gmtime_adj(X509_getm_notBefore(x), -3600);
  X509_gmtime_adj(X509_getm_notAfter(x), 3600);
  X509_set_pubkey(x, key);
  X509_NAME *name = X509_get_subject_name(x);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)common_name, -1, -1, 0);
  X509_set_issuer_name(x, name);
  CHECK(X509_sign(x, key, EVP_sha256()) > 0);
  FILE *f = fopen(c->chain, "w");
  CHECK(f != NULL && PEM_write_X509(f, x) == 1);
  fclose(f);
  f = fopen(c->key, "w");
  CHECK(f != NULL && PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1);
  fclose(f);
  X509_free(x);
  EVP_PKEY_free(key);
}

static inline void certificate_init(struct certificate *c, const char *common_name) {
  snprintf(c->folder, sizeof c->folder, "/tmp/certificate-XXXXXX");
  if (mkdtemp(c->folder) == NULL) abort();
  snprintf(c->chain, sizeof c->chain, "%s/chain.pem", c->folder);
  snprintf(c->key, sizeof c->key, "%s/key.pem", c->folder);
  certificate_write(c, common_name);
}

static inline void certificate_done(struct certificate *c) {
  unlink(c->chain);
  unlink(c->key);
  rmdir(c->folder);
}

#endif
