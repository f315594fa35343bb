// Takes the audit through a store: the tables at one moment, then the journal in short read
// transactions. For the audit's child only: a damaged store may end the process here.
#pragma once

#include "ledger/audit.h"

namespace mg::ledger::proof {

AuditReport walk(const AuditOptions& options);

}  // namespace mg::ledger::proof
