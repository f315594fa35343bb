// Views of what happened to a request: attempts, failures, progress, and its record.
#include "api/view.h"

namespace mg::api {
namespace {

std::string_view name(FailureKind kind) {
  constexpr std::string_view kNames[] = {"connect",      "timeout",   "reset",
                                         "server_error", "garbage",   "rate_limited",
                                         "denied",       "not_found", "busy"};
  return kNames[static_cast<size_t>(kind)];
}

constexpr ViewField kAttemptFields[] = {
    field<&AttemptFacts::number>("number"),
    field<&AttemptFacts::tries_on_channel>("tries_on_channel"),
    field<&AttemptFacts::retries>("retries"),
    field<&AttemptFacts::candidates_left>("candidates_left"),
    field<&AttemptFacts::channel>("channel"),
    field<&AttemptFacts::provider>("provider"),
    field<&AttemptFacts::upstream_model>("upstream_model"),
    field<&AttemptFacts::elapsed_ms>("elapsed_ms"),
};

constexpr ViewField kFailureFields[] = {
    {"kind",
     [](lua_State* L, const void* facts) {
       push_fact(L, name(static_cast<const FailureFacts*>(facts)->kind));
     }},
    field_unless_zero<&FailureFacts::status>("status"),
    field<&FailureFacts::retry_after_ms>("retry_after_ms"),
};

constexpr ViewField kProgressFields[] = {
    field<&ProgressFacts::output_tokens>("output_tokens"),
    field<&ProgressFacts::relayed_bytes>("relayed_bytes"),
    field<&ProgressFacts::elapsed_ms>("elapsed_ms"),
    field<&ProgressFacts::cost>("cost"),
};

void push_usage(lua_State* L, const void* facts) {
  const auto usage = static_cast<const RecordFacts*>(facts)->usage;
  lua_createtable(L, 0, static_cast<int>(usage.size()));
  for (const UsagePoint& point : usage) {
    push_fact(L, point.meter);
    push_fact(L, point.units);
    lua_rawset(L, -3);
  }
}

void push_token_takes(lua_State* L, const void* facts) {
  const auto takes = static_cast<const RecordFacts*>(facts)->token_takes;
  lua_createtable(L, static_cast<int>(takes.size()), 0);
  for (size_t i = 0; i < takes.size(); ++i) {
    lua_createtable(L, 0, 2);
    push_fact(L, std::string_view(takes[i].key));
    lua_setfield(L, -2, "key");
    push_fact(L, takes[i].tokens);
    lua_setfield(L, -2, "tokens");
    lua_rawseti(L, -2, static_cast<int>(i) + 1);
  }
}

constexpr ViewField kRecordFields[] = {
    field<&RecordFacts::status>("status"),
    field<&RecordFacts::code>("code"),
    field<&RecordFacts::channel>("channel"),
    field<&RecordFacts::provider>("provider"),
    field<&RecordFacts::upstream_model>("upstream_model"),
    {"usage", push_usage},
    field<&RecordFacts::usage_source>("usage_source"),
    field<&RecordFacts::tokens>("tokens"),
    {"token_takes", push_token_takes},
    field<&RecordFacts::cost>("cost"),
    field<&RecordFacts::latency_ms>("latency_ms"),
    field_unless_zero<&RecordFacts::first_token_ms>("first_token_ms"),
    field<&RecordFacts::attempts>("attempts"),
    field<&RecordFacts::client_left>("client_left"),
};

}  // namespace

constexpr ViewType kAttemptView{"gate.Attempt", "attempt", kAttemptFields};
constexpr ViewType kFailureView{"gate.Failure", "failure", kFailureFields};
constexpr ViewType kProgressView{"gate.Progress", "progress", kProgressFields};
constexpr ViewType kRecordView{"gate.Record", "record", kRecordFields};

std::span<const ViewType* const> view_types() {
  static constexpr const ViewType* kTypes[] = {&kRequestView,  &kKeyView,        &kTenantView,
                                               &kFeatureView,  &kConstraintView, &kCandidateView,
                                               &kLineView,     &kAttemptView,    &kFailureView,
                                               &kProgressView, &kRecordView};
  return kTypes;
}

}  // namespace mg::api
