/* What a TLS connection to a provider keeps while it waits: no record buffers, 16 KB each. */
#include <openssl/crypto.h>

#include "certificates.h"
#include "seen.h"

enum { CALLS = 8, RECORD_BYTES = 16384, MARGIN_BYTES = 1024 };

/* In front of each block of OpenSSL's. */
struct block {
  size_t bytes;
  bool is_record; /* of a record's size, and the worker's: the provider's threads have their own */
  _Alignas(16) char memory[];
};

static _Thread_local bool of_worker;
static int records_held; /* the worker's */

static void *take(size_t bytes, const char *file, int line) {
  (void)file, (void)line;
  if (bytes == 0) return NULL;
  struct block *b = mem_alloc(sizeof *b + bytes);
  b->bytes = bytes;
  b->is_record = of_worker && bytes >= RECORD_BYTES && bytes <= RECORD_BYTES + MARGIN_BYTES;
  if (b->is_record) records_held++;
  return b->memory;
}

static void give(void *memory, const char *file, int line) {
  (void)file, (void)line;
  if (memory == NULL) return;
  struct block *b = (struct block *)(void *)((char *)memory - sizeof *b);
  if (b->is_record) records_held--;
  mem_free(b);
}

static void *take_more(void *memory, size_t bytes, const char *file, int line) {
  void *more = take(bytes, file, line);
  if (memory != NULL && more != NULL) {
    size_t had = ((struct block *)(void *)((char *)memory - sizeof(struct block)))->bytes;
    memcpy(more, memory, had < bytes ? had : bytes);
  }
  give(memory, file, line);
  return more;
}

/* Libraries allocate through OpenSSL in their constructors, and it takes no other allocator after that. */
static void count_blocks(void) {
  must(CRYPTO_set_mem_functions(take, take_more, give) == 1);
}
__attribute__((section(".preinit_array"), used)) static void (*const before_libraries)(void) = count_blocks;

/* One event of a stream, then silence. */
static void serve_one_event(struct peer *p) {
  if (!peer_request(p)) return;
  peer_say(p, "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 5000\r\n\r\ndata: 1\n\n");
  peer_saw_close(p);
}

static unsigned told;

static void count_event(struct seen *s, struct slice bytes) {
  (void)bytes;
  if (++told == CALLS) loop_stop(s->loop);
}

TEST(a_stream_that_waits_holds_no_record_buffer) {
  struct authority authority = authority_new();
  SSL_CTX *tls = server_with(&authority, "DNS:localhost", -60, 3600);
  struct provider *v = provider_start(serve_one_event, NULL, tls);
  struct upstream_config config = upstream_config_default;
  config.ca_file = authority.file;
  unsigned running = 0;
  struct loop *l = loop_new();
  struct seen calls[CALLS];
  of_worker = true;
  struct upstream *u = upstream_to(l, "https", "localhost", v->port, config);
  for (int i = 0; i < CALLS; i++) {
    calls[i] = (struct seen){.loop = l, .running = &running, .at_body = count_event};
    seen_start(&calls[i], u, "POST", "/v1/x", NULL, 0);
  }
  loop_until_over(l, 60000);
  CHECK_INT(told, CALLS);
  LOOP_UNTIL(l, records_held == 0);
  CHECK_INT(records_held, 0);
  for (int i = 0; i < CALLS; i++) {
    upcall_cancel(calls[i].call);
    seen_done(&calls[i]);
  }
  upstream_retire(u);
  loop_for_ms(l, 20);
  of_worker = false;
  loop_free(l);
  provider_stop(v);
  SSL_CTX_free(tls);
  authority_free(&authority);
}

UNIT_MAIN()
