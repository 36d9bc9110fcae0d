#ifndef BEDSIDE_FACADE_H
#define BEDSIDE_FACADE_H

/* The core for callers that speak C: other languages' tests, and firmware written in C. */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    uint16_t flags;
    uint16_t count;
    uint32_t boot_id;
    uint32_t sequence;
    uint64_t first_sample;
    int64_t wall_us;
    uint32_t rate_mhz;
    uint32_t nv_per_lsb;
    uint32_t dropped;
    uint32_t lowest_held;
} bedside_batch;

typedef struct {
    uint32_t boot_id;
    uint32_t cumulative;
    uint8_t missing_count;
    uint32_t missing[16][2];
} bedside_ack;

uint32_t bedside_crc32(const uint8_t* bytes, size_t size);

/* Return the payload's size, or 0 where it cannot be encoded. */
size_t bedside_encode_batch(const bedside_batch* batch, const int16_t* samples, uint8_t* out,
                            size_t capacity);
size_t bedside_encode_ack(const bedside_ack* ack, uint8_t* out, size_t capacity);

/* Return "" or the reason for refusing the payload; `samples` needs room for 250. */
const char* bedside_decode_batch(const uint8_t* payload, size_t size, bedside_batch* batch,
                                 int16_t* samples);
const char* bedside_decode_ack(const uint8_t* payload, size_t size, bedside_ack* ack);

/* An uplink with its store in `memory`, of bedside_uplink_bytes(batches, in_flight). */
typedef struct bedside_uplink bedside_uplink;

size_t bedside_uplink_bytes(size_t batches, size_t in_flight);
bedside_uplink* bedside_uplink_start(void* memory, size_t batches, size_t in_flight,
                                     uint32_t boot_id, uint32_t first_sequence,
                                     uint16_t resend_per_s);
int bedside_uplink_keep(bedside_uplink* uplink, uint64_t first_sample, uint16_t flags,
                        uint16_t count, const int16_t* samples, int64_t wall_us, uint32_t rate_mhz,
                        uint32_t nv_per_lsb, uint32_t sampled_ms);
void bedside_uplink_begin_round(bedside_uplink* uplink, uint32_t now_ms);
/* The size of the next payload that is due, copied to `out`, or 0. */
size_t bedside_uplink_next(bedside_uplink* uplink, uint8_t* out, size_t capacity);
/* Answers for the batch given last; a negative token is one that could not leave. */
void bedside_uplink_answer(bedside_uplink* uplink, int32_t token);
void bedside_uplink_published(bedside_uplink* uplink, int32_t token);
void bedside_uplink_expired(bedside_uplink* uplink, int32_t token);
void bedside_uplink_disconnected(bedside_uplink* uplink);
void bedside_uplink_acknowledged(bedside_uplink* uplink, const bedside_ack* ack);
size_t bedside_uplink_backlog(const bedside_uplink* uplink);
uint32_t bedside_uplink_backlog_ms(const bedside_uplink* uplink, uint32_t now_ms);
uint32_t bedside_uplink_dropped(const bedside_uplink* uplink);

#ifdef __cplusplus
}
#endif

#endif
