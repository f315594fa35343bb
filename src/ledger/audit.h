// `ledger verify`: proves the books from the journal alone, then compares the derived tables with
// what it found. It has its own decoder and its own arithmetic, and shares no rule with the code it
// checks. It reads a pinned prefix of the journal in short read transactions, so the server may
// run; it writes nothing.
//
// A damaged LMDB file can crash whoever opens it. So the work is done in a forked child, and a
// child that dies is a finding ("unreadable"), not our crash. A process that forks beside running
// threads may pass on a locked lock, so audit() is for programs of one thread, as the command is.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "ledger/types.h"

namespace mg::ledger {

enum class AuditDepth : uint8_t {
  full,  // from the first record on
  fast,  // from the checkpoint on: the tables, the records a start would replay, the open holds
};

struct AuditOptions {
  std::string directory;
  AuditDepth depth = AuditDepth::full;
  size_t map_bytes = limits::map_bytes;
};

struct AuditViolation {
  uint8_t rule;  // the number of the invariant: 5 for I5
  Seq seq;       // the record where it shows, 0 for a table
  std::string what;
};

struct AuditReport {
  enum class Verdict : uint8_t { clean, violated, unreadable };
  Verdict verdict = Verdict::unreadable;
  std::string unreadable_why;
  Seq first = 0;  // what was read
  Seq last = 0;
  uint64_t accounts = 0;
  uint64_t budgets = 0;
  uint64_t open_holds = 0;
  uint64_t settlements = 0;
  uint64_t transfers = 0;
  uint64_t records = 0;     // of the directory
  uint64_t violations = 0;  // all of them; the list names at most audit_violations_max per rule
  Seq first_broken = 0;     // the first record a violation names
  std::vector<AuditViolation> list;

  // One compact JSON object.
  std::string json() const;
};

// Errors: not_found, when there is no store; io, when no child could be made. Everything that is
// wrong with the store itself is in the report.
Result<AuditReport> audit(const AuditOptions& options);

}  // namespace mg::ledger
