/* hmac: see the header. A signature takes four of them over short texts: OpenSSL's own functions cost a third of its
 * EVP door, which allocates (see gate/key.c). */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "gate/signer/hmac.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "base/must.h"

void sha256_of(const struct iovec *parts, int count, unsigned char out[HMAC_BYTES]) {
  SHA256_CTX hash;
  must(SHA256_Init(&hash) == 1);
  for (int i = 0; i < count; i++) must(SHA256_Update(&hash, parts[i].iov_base, parts[i].iov_len) == 1);
  must(SHA256_Final(out, &hash) == 1);
}

static void padded(const unsigned char key[SHA256_CBLOCK], unsigned char with, const void *text, size_t len,
                   unsigned char out[HMAC_BYTES]) {
  unsigned char block[SHA256_CBLOCK];
  SHA256_CTX hash;
  for (unsigned i = 0; i < sizeof block; i++) block[i] = key[i] ^ with;
  must(SHA256_Init(&hash) == 1 && SHA256_Update(&hash, block, sizeof block) == 1);
  must(SHA256_Update(&hash, text, len) == 1 && SHA256_Final(out, &hash) == 1);
  OPENSSL_cleanse(block, sizeof block);
  OPENSSL_cleanse(&hash, sizeof hash);
}

void hmac_sha256(struct slice key, struct slice text, unsigned char out[HMAC_BYTES]) {
  unsigned char block[SHA256_CBLOCK] = {0}, inner[HMAC_BYTES];
  if (key.len > sizeof block) sha256_of(&(struct iovec){(void *)(uintptr_t)key.ptr, key.len}, 1, block);
  else if (key.len > 0) memcpy(block, key.ptr, key.len);
  padded(block, 0x36, text.ptr, text.len, inner);
  padded(block, 0x5c, inner, sizeof inner, out);
  OPENSSL_cleanse(block, sizeof block);
}

void digest_hex(const unsigned char digest[HMAC_BYTES], char out[HMAC_BYTES * 2]) {
  static const char digits[] = "0123456789abcdef";
  for (unsigned i = 0; i < HMAC_BYTES; i++) {
    out[2 * i] = digits[digest[i] >> 4];
    out[2 * i + 1] = digits[digest[i] & 15];
  }
}
