#include "server/check.h"

#include <filesystem>

#include "base/clock.h"
#include "control/books.h"
#include "event/local_path.h"
#include "server/certificate_dates.h"
#include "server/channels.h"
#include "server/generation.h"
#include "server/state_folder.h"

namespace mg::server {
namespace {

// The secrets and tenants that a server would find; none before the first start.
Result<std::shared_ptr<const directory::Snapshot>> stored_directory(const Config& config) {
  MG_TRY(const bool is_stored, has_store(config));
  if (!is_stored) return std::make_shared<const directory::Snapshot>();
  MG_TRY(const auto books, control::RestingBooks::open(config.store()));
  return books->directory();
}

// Whether a server could make the folder, and the socket in it.
void check_state(const Config& config, CheckReport& report) {
  std::error_code error;
  std::filesystem::path nearest = config.state;
  while (std::filesystem::status(nearest, error).type() == std::filesystem::file_type::not_found &&
         nearest.has_relative_path())
    nearest = nearest.parent_path();
  if (!std::filesystem::is_directory(nearest, error))
    report.problems.push_back(config.state + " cannot be made: " + nearest.string() +
                              " is no folder");
  const std::string socket = config.control_socket();
  if (socket.size() > event::kLocalPathBytesMax)
    report.problems.push_back(socket + " is too long for a local socket: at most " +
                              std::to_string(event::kLocalPathBytesMax) + " bytes");
}

void check_certificates(const Config& config, CheckReport& report) {
  SystemClock clock;
  const auto tickets = tls::TicketKeys::make();
  for (const ListenConfig& listen : config.listen) {
    if (listen.certificates.empty()) continue;
    const auto loaded = tickets ? tls::ServerCredentials::load(listen.certificates, *tickets)
                                : tl::unexpected(tickets.error());
    if (!loaded) {
      report.problems.push_back(loaded.error().what);
      continue;
    }
    const std::string complaint = certificate_complaint(**loaded, clock.wall_ms());
    if (!complaint.empty())
      report.warnings.push_back("the certificate of " + listen.address.text() + " " + complaint);
  }
}

}  // namespace

CheckReport check(const Config& config) {
  CheckReport report;
  check_state(config, report);
  check_certificates(config, report);
  const std::string authorities =
      config.upstream_ca.empty() ? std::string(tls::kSystemTrustFile) : config.upstream_ca;
  auto trust = tls::TrustStore::load(authorities);
  if (!trust) report.problems.push_back(trust.error().what);
  const auto tree = script::read_source_tree(config.scripts, config.data);
  if (!tree) {
    report.problems.push_back(tree.error().what);
    return report;
  }
  const Generation generation = build_generation(*tree, 1);
  if (!generation.problems.empty()) {
    report.problems.push_back(generation.problems);
    return report;
  }
  auto vault = control::Vault::open(config.master_key);
  const auto stored = stored_directory(config);
  if (!stored) {
    report.problems.push_back(stored.error().what);
    return report;
  }
  gateway::HealthBoard health;
  BuiltChannels built = build_channels(
      {config.channels, *generation.bundle, **stored, *vault, trust ? *trust : nullptr, health});
  for (std::string& complaint : built.complaints) report.warnings.push_back(std::move(complaint));
  report.channels = built.channels.size();
  const gateway::World world(generation.bundle, generation.catalogue, *stored,
                             std::move(built.channels));
  for (std::string& complaint : world.complaints()) report.warnings.push_back(std::move(complaint));
  report.callable_models = world.callable_models().size();
  return report;
}

}  // namespace mg::server
