/* simulate_gzip: one block of fixed Huffman codes (RFC 1951 3.2.6): blanks, then matches of 258 bytes at distance 1. */
#include "main/simulate/gzip.h"

enum { MATCH_BYTES = 258, BLANK_CODE = 0x30 + ' ', MATCH_CODE = 0xc5 };

struct bits {
  struct buf *out;
  uint32_t held;
  unsigned count;
};

/* The lowest first, as deflate packs all but Huffman codes. */
static void put_bits(struct bits *b, uint32_t value, unsigned count) {
  b->held |= value << b->count;
  for (b->count += count; b->count >= 8; b->count -= 8, b->held >>= 8) buf_byte(b->out, (char)b->held);
}

static void put_code(struct bits *b, uint32_t code, unsigned count) {
  while (count-- > 0) put_bits(b, code >> count & 1, 1);
}

static void put_u32(struct buf *out, uint32_t value) {
  for (unsigned i = 0; i < 4; i++) buf_byte(out, (char)(value >> i * 8));
}

/* CRC-32 (IEEE). The table is of all bytes, since the low byte of the sum is any. */
static uint32_t crc_of_blanks(uint64_t bytes) {
  uint32_t table[256], crc = UINT32_MAX;
  for (uint32_t i = 0; i < 256; i++) {
    table[i] = i;
    for (unsigned bit = 0; bit < 8; bit++) table[i] = table[i] >> 1 ^ (0xedb88320u & (0u - (table[i] & 1)));
  }
  while (bytes-- > 0) crc = crc >> 8 ^ table[(crc ^ ' ') & 0xff];
  return ~crc;
}

void sim_gzip_put_blanks(uint64_t bytes, struct buf *out) {
  static const unsigned char head[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff};
  struct bits b = {.out = out};
  uint64_t matches = bytes > 0 ? (bytes - 1) / MATCH_BYTES : 0;
  buf_append(out, head, sizeof head);
  put_bits(&b, 1, 1); /* the last block */
  put_bits(&b, 1, 2); /* fixed codes */
  for (uint64_t i = matches * MATCH_BYTES; i < bytes; i++) put_code(&b, BLANK_CODE, 8);
  for (uint64_t i = 0; i < matches; i++) {
    put_code(&b, MATCH_CODE, 8);
    put_code(&b, 0, 5);
  }
  put_code(&b, 0, 7); /* end of block */
  if (b.count > 0) put_bits(&b, 0, 8 - b.count);
  put_u32(out, crc_of_blanks(bytes));
  put_u32(out, (uint32_t)bytes);
}
