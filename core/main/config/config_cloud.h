/* config_cloud: what the config says of clouds: URLs with a region and a project in them, AWS access keys, service
 * accounts. Pure; the loader's thread. Whether a secret is set at all is config_file's question. */
#ifndef MOONGATE_MAIN_CONFIG_CLOUD_H
#define MOONGATE_MAIN_CONFIG_CLOUD_H

#include <stdbool.h>

#include "base/err.h"
#include "base/value.h"
#include "gate/signer/signer.h"

/* An adapter's base_url with {region} and {project} as the provider's table gives them; on the heap. NULL: the table
 * lacks what *missing names. */
char *config_cloud_url(const char *base, const struct value *provider, const char **missing);

/* Whether a key of that signer is one that it can read. e says what is wrong with it, without a secret. */
bool config_cloud_key_fits(const struct signer *signer, struct slice key, struct err *e);
/* Whether the signer takes any bytes as its key: what is not sent need not fit a header. */
bool config_cloud_key_is_file(const struct signer *signer);

/* The parts of an AWS access key in the order of its signer (gate/signer/signer_aws.c), NULL at the end; the last may
 * be absent. */
extern const char *const config_cloud_aws_parts[];

#endif
