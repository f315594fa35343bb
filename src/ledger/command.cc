#include "ledger/command.h"

#include <memory>

#include "base/assert.h"
#include "ledger/port.h"

namespace mg::ledger {
namespace {

void discard_cell(HoldCell& cell) {
  MG_ASSERT(cell.owner.under_way > 0 && !cell.owner.is_owned);
  if (--cell.owner.under_way > 0) return;
  if (cell.open.is_open) {
    cell.open.is_attached = false;  // the state has it, and frees it
  } else {
    const std::unique_ptr<HoldCell> freed(&cell);
  }
}

}  // namespace

void discard(Command& command) {
  switch (command.kind) {
    case CommandKind::hold:
    case CommandKind::extend:
      return discard_cell(static_cast<HoldCell::Ask&>(command).cell);
    case CommandKind::resolve: {
      auto& resolution = static_cast<HoldCell::Resolution&>(command);
      if (resolution.action != HoldCell::Action::detach) return discard_cell(resolution.cell);
      resolution.cell.open.is_attached = false;
      return;
    }
    case CommandKind::mark: {
      const std::unique_ptr<MarkCommand> freed(&static_cast<MarkCommand&>(command));
      return;
    }
    case CommandKind::flush: {
      const std::unique_ptr<FlushCommand> freed(&static_cast<FlushCommand&>(command));
      return;
    }
    case CommandKind::call: {
      const std::unique_ptr<Call> freed(&static_cast<Call&>(command));
      if (freed->adopted) freed->adopted->open.is_attached = false;
      return;
    }
    case CommandKind::leave: {
      const std::unique_ptr<LeaveCommand> freed(&static_cast<LeaveCommand&>(command));
      return;
    }
  }
}

Port::~Port() {
  std::vector<Command*> left;
  answers_.take(left);
  for (Command* command : left) discard(*command);
}

}  // namespace mg::ledger
