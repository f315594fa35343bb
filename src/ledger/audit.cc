#include "ledger/audit.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/bytes.h"
#include "base/json.h"
#include "ledger/audit_walk.h"

namespace mg::ledger {
namespace {

constexpr uint32_t kReportMagic = 0x74696475;

// The report's way from the child to us.
std::string packed(const AuditReport& report) {
  std::string out;
  ByteWriter w(out);
  w.number(kReportMagic);
  w.number(static_cast<uint8_t>(report.verdict));
  w.text(report.unreadable_why.substr(0, 4096));
  for (const uint64_t n : {report.first, report.last, report.accounts, report.budgets,
                           report.open_holds, report.settlements, report.transfers, report.records,
                           report.violations, report.first_broken})
    w.number(n);
  w.number(static_cast<uint32_t>(report.list.size()));
  for (const AuditViolation& violation : report.list) {
    w.number(violation.rule);
    w.number(violation.seq);
    w.text(violation.what.substr(0, 1024));
  }
  return out;
}

bool unpack(std::string_view bytes, AuditReport& report) {
  ByteReader r(bytes);
  if (r.number<uint32_t>() != kReportMagic) return false;
  report.verdict = static_cast<AuditReport::Verdict>(r.number<uint8_t>());
  report.unreadable_why = r.text();
  for (uint64_t* n : {&report.first, &report.last, &report.accounts, &report.budgets,
                      &report.open_holds, &report.settlements, &report.transfers, &report.records,
                      &report.violations, &report.first_broken})
    *n = r.number<uint64_t>();
  const auto violations = r.number<uint32_t>();
  for (uint32_t i = 0; i < violations && r.good(); ++i) {
    AuditViolation& violation = report.list.emplace_back();
    violation.rule = r.number<uint8_t>();
    violation.seq = r.number<Seq>();
    violation.what = r.text();
  }
  return r.complete();
}

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

std::string read_all(int fd) {
  std::string out;
  char buffer[4096];
  for (;;) {
    const ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return out;
    out.append(buffer, static_cast<size_t>(n));
  }
}

// Whatever the file makes LMDB do, it does it here, quietly and without a core file.
// It keeps none of our descriptors: neither sockets nor the writer's lock may outlive us in it.
[[noreturn]] void run_child(const AuditOptions& options, int pipe_end) {
  constexpr int out = 3;
  if (pipe_end != out) ::dup2(pipe_end, out);
  ::close_range(out + 1, ~0u, 0);
  for (const int signal_number : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGTERM, SIGINT})
    std::signal(signal_number, SIG_DFL);
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  const AuditReport report = proof::walk(options);
  ::_exit(write_all(out, packed(report)) ? 0 : 1);
}

std::string how_it_died(int status) {
  if (WIFSIGNALED(status)) return std::string("reading it ends in ") + strsignal(WTERMSIG(status));
  return "reading it ends with status " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

Result<AuditReport> audit(const AuditOptions& options) {
  struct stat file;
  const std::string path = options.directory + "/data.mdb";
  if (::stat(path.c_str(), &file) != 0)
    return fail(Errc::not_found, path + ": " + std::strerror(errno));
  int ends[2];
  if (::pipe(ends) != 0) return fail(Errc::io, std::string("pipe: ") + std::strerror(errno));
  const pid_t child = ::fork();
  if (child < 0) {
    const int number = errno;
    ::close(ends[0]);
    ::close(ends[1]);
    return fail(Errc::io, std::string("fork: ") + std::strerror(number));
  }
  if (child == 0) {
    ::close(ends[0]);
    run_child(options, ends[1]);
  }
  ::close(ends[1]);
  const std::string bytes = read_all(ends[0]);
  ::close(ends[0]);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  AuditReport report;
  if (unpack(bytes, report)) return report;
  report = AuditReport();
  report.unreadable_why = how_it_died(status);
  return report;
}

std::string AuditReport::json() const {
  std::string out;
  JsonWriter w(out);
  const char* const verdicts[] = {"clean", "violated", "unreadable"};
  w.begin_object();
  w.field("verdict", verdicts[static_cast<size_t>(verdict)]);
  if (verdict == Verdict::unreadable) w.field("why", unreadable_why);
  w.field("first", first);
  w.field("last", last);
  w.field("accounts", accounts);
  w.field("budgets", budgets);
  w.field("open_holds", open_holds);
  w.field("settlements", settlements);
  w.field("transfers", transfers);
  w.field("records", records);
  w.field("violations", violations);
  if (first_broken != 0) w.field("first_broken", first_broken);
  w.key("list");
  w.begin_array();
  for (const AuditViolation& violation : list) {
    w.begin_object();
    w.field("rule", "I" + std::to_string(violation.rule));
    if (violation.seq != 0) w.field("seq", violation.seq);
    w.field("what", violation.what);
    w.end_object();
  }
  w.end_array();
  w.end_object();
  return out;
}

}  // namespace mg::ledger
