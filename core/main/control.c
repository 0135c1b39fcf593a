/* control: a libcurl transfer. Blocking. */
#include "main/control.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

enum { ANSWER_BYTES_MAX = 4 << 20, WAIT_S = 60 };

static size_t take(char *bytes, size_t size, size_t count, void *out) {
  struct buf *b = out;
  if (b->len + size * count > ANSWER_BYTES_MAX) return 0;
  buf_append(b, bytes, size * count);
  return size * count;
}

bool control_call(const char *address, const char *method, const char *target, unsigned *status, struct buf *out,
                  struct err *e) {
  char url[512], line[512];
  const char *token = getenv("MOONGATE_ADMIN_TOKEN");
  CURL *c = curl_easy_init();
  struct curl_slist *headers = curl_slist_append(NULL, "x-moongate-admin: 1");
  snprintf(url, sizeof url, "http://%s%s", address, target);
  if (token != NULL && *token) {
    snprintf(line, sizeof line, "authorization: Bearer %s", token);
    headers = curl_slist_append(headers, line);
  }
  curl_easy_setopt(c, CURLOPT_URL, url);
  curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, method);
  if (strcmp(method, "POST") == 0) curl_easy_setopt(c, CURLOPT_POSTFIELDS, "");
  curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(c, CURLOPT_PROXY, "");
  curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(c, CURLOPT_TIMEOUT, (long)WAIT_S);
  curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take);
  curl_easy_setopt(c, CURLOPT_WRITEDATA, out);
  CURLcode code = curl_easy_perform(c);
  long answered = 0;
  curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &answered);
  *status = (unsigned)answered;
  curl_slist_free_all(headers);
  curl_easy_cleanup(c);
  if (code == CURLE_OK) return true;
  return err_set(e, "the gateway's admin port %s does not answer: %s\n  name it with --admin ADDRESS, or --config FILE",
                 address, curl_easy_strerror(code));
}
