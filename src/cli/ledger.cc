#include <cstdio>

#include "base/label.h"
#include "cli/cli.h"
#include "ledger/audit.h"
#include "server/config.h"

namespace mg::cli {
namespace {

constexpr int kViolated = 1;
constexpr int kUnreadable = 2;

void print_report(const ledger::AuditReport& report) {
  std::printf(
      "read records %llu to %llu: %llu accounts, %llu settlements, %llu transfers, "
      "%llu open holds\n",
      static_cast<unsigned long long>(report.first), static_cast<unsigned long long>(report.last),
      static_cast<unsigned long long>(report.accounts),
      static_cast<unsigned long long>(report.settlements),
      static_cast<unsigned long long>(report.transfers),
      static_cast<unsigned long long>(report.open_holds));
  for (const ledger::AuditViolation& violation : report.list)
    std::printf("  I%u at record %llu: %s\n", violation.rule,
                static_cast<unsigned long long>(violation.seq), visible(violation.what).c_str());
  switch (report.verdict) {
    case ledger::AuditReport::Verdict::clean:
      std::printf("clean\n");
      break;
    case ledger::AuditReport::Verdict::violated:
      std::printf("%llu violations; the first broken record is %llu\n",
                  static_cast<unsigned long long>(report.violations),
                  static_cast<unsigned long long>(report.first_broken));
      break;
    case ledger::AuditReport::Verdict::unreadable:
      std::printf("unreadable: %s\n", visible(report.unreadable_why).c_str());
      break;
  }
}

// Nobody may take books that were not read for books that are wrong.
int unread(const Error& error) {
  failed(error.what);
  return kUnreadable;
}

int verify(const Cli& cli, bool fast) {
  const auto config = server::load_config(cli.config, server::process_environment);
  if (!config) return unread(config.error());
  ledger::AuditOptions options;
  options.directory = config->store();
  if (fast) options.depth = ledger::AuditDepth::fast;
  const auto report = ledger::audit(options);
  if (!report) return unread(report.error());
  if (cli.json) {
    std::printf("%s\n", report->json().c_str());
  } else {
    print_report(*report);
  }
  switch (report->verdict) {
    case ledger::AuditReport::Verdict::clean:
      return 0;
    case ledger::AuditReport::Verdict::violated:
      return kViolated;
    case ledger::AuditReport::Verdict::unreadable:
      break;
  }
  return kUnreadable;
}

}  // namespace

void add_ledger(Cli& cli) {
  CLI::App* ledger = cli.group("ledger", "The books");
  const auto fast = std::make_shared<bool>(false);
  CLI::App* added = cli.command(
      ledger, "verify", "Prove the books from the journal alone; also while the server runs",
      [&cli, fast] { return verify(cli, *fast); });
  added->add_flag("--fast", *fast, "Only from the last checkpoint on");
  const auto directory = std::make_shared<std::string>();
  CLI::App* backup = cli.command(
      ledger, "backup", "Copy the store, also while the server runs", [&cli, directory] {
        // The server that makes the copy may stand in another folder than we do.
        const auto absolute = absolute_path(*directory);
        if (!absolute) return failed(absolute.error().what);
        return run_operation(cli, "ledger.backup", {{"directory", *absolute}}, print_members);
      });
  backup->add_option("DIR", *directory, "A directory that does not exist yet")->required();
}

}  // namespace mg::cli
