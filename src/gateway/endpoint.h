// The door: which request is for whom. Chat, completions and embeddings become an Exchange; models,
// health and metrics are answered here. One per listener and worker.
#pragma once

#include <string>

#include "gateway/services.h"
#include "http/server_connection.h"

namespace mg::gateway {

// What a listener offers.
struct Serves {
  bool api = true;
  bool metrics = false;  // /metrics, and the detail of /health/ready
};

struct Readiness {
  bool is_ready = false;
  uint64_t generation = 0;
  std::string store;     // "ok", "poisoned", "disk_low"
  std::string policies;  // "ok", or why the last reload was refused
};

// What the process knows and a worker does not. Called on the worker's thread.
class ProcessView {
 public:
  virtual ~ProcessView() = default;
  virtual Readiness readiness() = 0;
  virtual std::string metrics_text() = 0;
};

class Endpoint final : public http::Handler {
 public:
  Endpoint(Services& services, ProcessView& process, Serves serves)
      : services_(services), process_(process), serves_(serves) {}

  event::Task<> serve(http::ServerConnection& client) override;
  void reject(http::ServerConnection& client, const http::ParseError& error) override;

 private:
  std::optional<Operation> asked_operation(const http::ServerConnection& client) const;
  event::Task<> answer(http::ServerConnection& client);
  event::Task<> exchange(http::ServerConnection& client, Operation operation);
  void answer_get(http::ServerConnection& client);
  void answer_options(http::ServerConnection& client);
  void answer_ready(http::ServerConnection& client);
  event::Task<> answer_models(http::ServerConnection& client);
  void refuse(http::ServerConnection& client, const Refusal& no);
  void respond(http::ServerConnection& client, int status, std::string_view type,
               std::string_view body);
  http::Headers base_headers(http::ServerConnection& client);

  Services& services_;
  ProcessView& process_;
  const Serves serves_;
};

}  // namespace mg::gateway
