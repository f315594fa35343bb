// Every bound of the program has its name here, and a test at its edge and one past it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mg::limits {

inline constexpr size_t KiB = 1024;
inline constexpr size_t MiB = 1024 * KiB;
inline constexpr size_t GiB = 1024 * MiB;

// What a client may send (RFC 9112 leaves the numbers to the server).
inline constexpr size_t head_bytes_max = 32 * KiB;  // request line and header fields together
inline constexpr size_t target_bytes_max = 8 * KiB;
inline constexpr size_t header_count_max = 100;
inline constexpr size_t header_name_bytes_max = 256;
inline constexpr size_t content_length_digits_max = 12;
inline constexpr size_t body_bytes_max = 32 * MiB;
inline constexpr size_t chunk_overhead_bytes_max = 32;        // allowed framing bytes per chunk ...
inline constexpr size_t chunk_overhead_base_bytes = 1 * KiB;  // ... and for the body as a whole
inline constexpr size_t forwarded_hops_max = 32;
inline constexpr size_t base_url_bytes_max = 2 * KiB;  // of a channel

// TLS.
inline constexpr size_t tls_handshake_bytes_max = 64 * KiB;  // kept while the pool works
inline constexpr size_t tls_sessions_max = 1024;             // origins a worker can resume

// JSON of clients.
inline constexpr size_t json_depth_max = 64;
inline constexpr size_t model_name_bytes_max = 256;
inline constexpr int64_t choices_max = 128;               // "n"
inline constexpr int64_t output_tokens_max = 10'000'000;  // what max_tokens may ask for
inline constexpr size_t embedding_inputs_max = 2048;
inline constexpr size_t idempotency_key_bytes_max = 255;
inline constexpr size_t session_bytes_max = 256;

// Answers of upstreams.
inline constexpr size_t upstream_head_bytes_max = 32 * KiB;
inline constexpr size_t informational_heads_max = 16;        // 1xx before the answer
inline constexpr size_t plain_answer_bytes_max = 1 * MiB;    // held whole up to here
inline constexpr size_t plain_answer_tail_bytes = 64 * KiB;  // kept back of a longer one
inline constexpr size_t answer_bytes_max = 256 * MiB;
inline constexpr size_t error_answer_bytes_max = 256 * KiB;
inline constexpr size_t sse_event_bytes_max = 16 * MiB;         // image streams are long
inline constexpr int64_t retry_after_s_max = 300;               // a longer one is clamped
inline constexpr int64_t usage_tokens_max = 1'000'000'000'000;  // beyond: not a count

// Inside.
inline constexpr size_t read_buffer_bytes = 64 * KiB;    // one per loop, shared
inline constexpr size_t pipelined_bytes_max = 64 * KiB;  // read ahead of a running request
inline constexpr size_t mailbox_items_max = 65'536;
inline constexpr int attempts_max = 5;
inline constexpr size_t candidates_max = 64;
inline constexpr size_t generations_alive_max = 16;
inline constexpr size_t hold_wallets_max = 4;
inline constexpr size_t hold_budgets_max = 8;
inline constexpr size_t dirty_accounts_per_commit = 256;
inline constexpr int64_t idempotency_keep_ms = 600'000;
inline constexpr size_t idempotency_answer_bytes_max = 1 * MiB;
inline constexpr int64_t output_default_max = 4096;  // tokens held for where nothing says

}  // namespace mg::limits
