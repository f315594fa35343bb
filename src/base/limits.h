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
inline constexpr size_t body_bytes_per_s_min = 8 * KiB;   // in the long run; see body_timeout_ms
inline constexpr size_t bodies_bytes_max = 512 * MiB;     // in memory at once, of all workers ...
inline constexpr size_t body_bytes_uncounted = 64 * KiB;  // ... beyond so many of each body
inline constexpr size_t chunk_overhead_bytes_max = 32;    // allowed framing bytes per chunk ...
inline constexpr size_t chunk_overhead_base_bytes = 1 * KiB;  // ... and for the body as a whole
inline constexpr size_t forwarded_hops_max = 32;
inline constexpr size_t base_url_bytes_max = 2 * KiB;  // of a channel

// TLS.
inline constexpr size_t tls_handshake_bytes_max = 64 * KiB;  // kept while the pool works
inline constexpr size_t tls_sessions_max = 1024;             // origins a worker can resume
inline constexpr size_t pem_bytes_max = 8 * MiB;             // a file of certificates, or of a key

// JSON of clients. A schema of tools takes two or three levels for each of its own.
inline constexpr size_t body_depth_max = 256;
inline constexpr size_t model_name_bytes_max = 256;
inline constexpr int64_t choices_max = 128;               // "n"
inline constexpr int64_t output_tokens_max = 10'000'000;  // what max_tokens may ask for
inline constexpr size_t embedding_inputs_max = 2048;
inline constexpr int64_t embedding_dimensions_max = 65'536;
inline constexpr size_t idempotency_key_bytes_max = 255;
inline constexpr size_t session_bytes_max = 256;

// Answers of upstreams.
inline constexpr size_t upstream_head_bytes_max = 32 * KiB;
inline constexpr size_t informational_heads_max = 16;        // 1xx before the answer
inline constexpr size_t plain_answer_bytes_max = 1 * MiB;    // held whole up to here
inline constexpr size_t plain_answer_tail_bytes = 64 * KiB;  // kept back of a longer one
inline constexpr size_t answer_bytes_max = 256 * MiB;
inline constexpr size_t error_answer_bytes_max = 256 * KiB;
inline constexpr size_t stream_end_bytes_max = 256 * KiB;       // events kept back behind usage
inline constexpr size_t sse_event_bytes_max = 16 * MiB;         // image streams are long
inline constexpr int64_t retry_after_s_max = 300;               // a longer one is clamped
inline constexpr int64_t usage_tokens_max = 1'000'000'000'000;  // beyond: not a count

// Connections of one worker.
inline constexpr size_t connections_max = 20'000;
inline constexpr size_t handshakes_max = 1'000;
inline constexpr size_t idle_upstreams_max = 1024;  // kept open per origin

// Inside.
inline constexpr size_t json_padding_bytes = 64;  // readable bytes simdjson wants behind a text
inline constexpr size_t queue_bytes_high = 256 * KiB;    // written and not yet taken by a peer
inline constexpr size_t read_buffer_bytes = 64 * KiB;    // one per loop, shared
inline constexpr int accepts_per_turn_max = 64;          // of each listener
inline constexpr int64_t last_call_ms_max = 2'000;       // letting in who had come before a drain
inline constexpr size_t pipelined_bytes_max = 64 * KiB;  // read ahead of a running request
inline constexpr int attempts_max = 5;
inline constexpr int retries_max = 1;  // second tries on the same channel
inline constexpr size_t candidates_max = 64;
inline constexpr size_t generations_alive_max = 16;
inline constexpr size_t hold_wallets_max = 4;
inline constexpr size_t hold_budgets_max = 8;
inline constexpr size_t dirty_accounts_per_commit = 256;
inline constexpr size_t records_waiting_bytes_max = 64 * MiB;  // for the disk
inline constexpr size_t record_segment_bytes = 64 * MiB;
inline constexpr int64_t idempotency_keep_ms = 600'000;
inline constexpr size_t idempotency_answer_bytes_max = 1 * MiB;
inline constexpr size_t idempotency_stored_bytes_max = 256 * MiB;  // all answers together
inline constexpr size_t idempotency_entries_max = 100'000;
inline constexpr int64_t output_default_max = 4096;  // tokens held for where nothing says

// The store and the ledger.
#if defined(__has_feature)
#define MG_HAS_FEATURE(x) __has_feature(x)
#else
#define MG_HAS_FEATURE(x) 0
#endif
#if defined(__SANITIZE_THREAD__) || MG_HAS_FEATURE(thread_sanitizer)
inline constexpr size_t map_bytes = 64 * GiB;  // the sanitizer's shadow has no room for more
#else
inline constexpr size_t map_bytes = 1024 * GiB;  // address space, not disk
#endif
inline constexpr size_t store_key_bytes_max = 511;  // LMDB's own
inline constexpr size_t account_owner_bytes_max = 46;
inline constexpr int64_t account_nanos_max = 4'000'000'000'000'000'000;  // a balance, either way
inline constexpr int64_t floor_nanos_max = 1'000'000'000'000'000'000;    // a floor, either way
inline constexpr size_t meter_bytes_max = 31;
inline constexpr size_t budget_name_bytes_max = 128;
inline constexpr size_t budget_period_bytes_max = 32;
inline constexpr size_t price_lines_max = 32;
inline constexpr size_t price_multipliers_max = 3;
inline constexpr size_t settlement_name_bytes_max = 256;  // model, channel, provider
inline constexpr size_t transfer_id_bytes_max = 128;
inline constexpr size_t actor_bytes_max = 128;
inline constexpr size_t memo_bytes_max = 512;
inline constexpr size_t record_table_bytes_max = 32;
inline constexpr size_t record_key_bytes_max = 256;
inline constexpr size_t record_value_bytes_max = 256 * KiB;
inline constexpr size_t record_changes_max = 64;              // in one command
inline constexpr size_t ledger_commands_max = 65'536;         // unanswered ones of one worker
inline constexpr size_t commit_backlog_bytes_max = 64 * MiB;  // new holds wait outside beyond it
inline constexpr int64_t commit_spacing_us = 4'000;           // between the starts of two commits
inline constexpr size_t accounts_page_max = 1000;             // what one read returns
inline constexpr uint64_t replay_records_goal = 8192;         // what a start has to read again
inline constexpr int64_t digest_keep_ms = 86'400'000;
inline constexpr size_t digests_max = 1'000'000;  // beyond it the oldest are forgotten early
inline constexpr int64_t mark_commit_ms = 5000;  // the longest a mark waits for a commit to ride in
inline constexpr int64_t budget_forget_ms = 86'400'000;  // after nothing asks for it any more
inline constexpr uint64_t disk_low_bytes = 64 * MiB;
inline constexpr uint64_t ballast_bytes = 32 * MiB;
inline constexpr size_t audit_violations_max = 20;        // named per rule
inline constexpr uint64_t records_per_read_max = 10'000;  // in one read transaction

// Scripts: what one may be ...
inline constexpr size_t script_source_bytes_max = 64 * KiB;
inline constexpr size_t script_files_max = 512;
inline constexpr size_t data_file_bytes_max = 16 * MiB;
inline constexpr size_t data_files_max = 64;
inline constexpr size_t script_value_nodes_max = 100'000;  // of one configuration or table
inline constexpr size_t script_value_depth_max = 64;
inline constexpr size_t json_depth_max = 64;  // of texts that scripts read and write
// ... and what it may do.
inline constexpr size_t script_pattern_bytes_max = 256;
inline constexpr int script_nesting_max = 16;  // of library functions that call back
inline constexpr int script_pcall_nesting_max = 32;
inline constexpr int script_strikes_max = 3;  // then its state is thrown away
inline constexpr size_t script_error_bytes_max = 512;
inline constexpr int64_t watchdog_look_ns = 5'000'000;

// Decisions of policies.
inline constexpr int64_t multiplier_ppm_max = 1'000'000'000;  // a thousandfold
inline constexpr int64_t breaker_failures_max = 1'000'000;
inline constexpr int64_t breaker_open_s_max = 86'400;
inline constexpr int64_t breaker_trials_max = 1000;
inline constexpr size_t refusal_message_bytes_max = 512;
inline constexpr int64_t refusal_retry_after_s_max = 86'400;
inline constexpr int64_t policy_timeout_ms_max = 3'600'000;
inline constexpr int64_t recover_delay_ms_max = 30'000;
inline constexpr size_t tags_max = 16;
inline constexpr size_t tag_bytes_max = 64;
inline constexpr size_t script_log_bytes_max = 512;
inline constexpr size_t script_logs_per_s_max = 20;  // of one worker

// The built-in provider and the load tool.
inline constexpr int64_t lab_wait_ms_max = 600'000;
inline constexpr int64_t lab_fault_at_max = 1'000'000'000;
inline constexpr size_t lab_retry_after_bytes_max = 64;
inline constexpr size_t lab_usage_bytes_max = 4 * KiB;
inline constexpr int64_t lab_dimensions_max = 8192;       // of one embedding
inline constexpr size_t lab_counted_names_max = 1000;     // models and paths; the others are one
inline constexpr int64_t load_requests_max = 10'000'000;  // one fixed-size record each
inline constexpr int64_t load_concurrency_max = 20'000;
inline constexpr int64_t load_prompt_tokens_max = 1'000'000;
inline constexpr size_t load_differences_listed_max = 100;  // all are counted

// Shared limits.
inline constexpr size_t bucket_key_bytes_max = 256;
inline constexpr size_t bucket_keys_max = 262'144;
inline constexpr size_t takes_per_request_max = 16;

}  // namespace mg::limits
