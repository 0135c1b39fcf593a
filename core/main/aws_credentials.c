/* aws_credentials: see the header. */
#include "main/aws_credentials.h"

#include <stdio.h>
#include <string.h>

#include "base/secret.h"
#include "gate/signer/aws_keys.h"

static const char usage[] =
    "moongate aws-credentials < FILE: the access key for AWS clients that belongs to a virtual key\n"
    "\n"
    "  printf %s \"$MOONGATE_KEY\" | moongate aws-credentials >> .env\n"
    "\n"
    "The key is read from standard input, up to its line end. What is printed is as secret as the key.\n";

int aws_credentials_main(int argc, char **argv) {
  char key[4096];
  struct aws_pair pair;
  if (argc > 1) {
    bool asked = strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0;
    fputs(usage, asked ? stdout : stderr);
    return asked ? 0 : 64;
  }
  setvbuf(stdin, NULL, _IONBF, 0); /* no copy in a buffer of the library's */
  if (fgets(key, sizeof key, stdin) == NULL) key[0] = '\0';
  size_t len = strcspn(key, "\r\n");
  if (len == 0) {
    fputs("moongate: no key came on standard input; see `moongate aws-credentials --help`\n", stderr);
    return 64;
  }
  aws_pair_of(slice_of(key, len), &pair);
  printf("AWS_ACCESS_KEY_ID=%.*s\nAWS_SECRET_ACCESS_KEY=%.*s\n", (int)sizeof pair.id, pair.id, (int)sizeof pair.secret,
         pair.secret);
  secret_wipe(key, sizeof key);
  secret_wipe(&pair, sizeof pair);
  return 0;
}
