#include "api/selftest_tables.h"

#include <span>
#include <string>
#include <vector>

#include "api/call.h"
#include "api/gate.h"
#include "script/freeze.h"

namespace mg::api {
namespace {

// Facts that tests start from; every field has some value of its type.
struct Sample {
  std::vector<std::string> path{"platform", "ten_test"};
  std::vector<PricePoint> price{{"input", *Rate::picos(2'500'000)},
                                {"output", *Rate::picos(10'000'000)}};
  RequestFacts request;
  CandidateFacts candidate;
  CandidateWork work;
  PriceLine line;
  AttemptFacts attempt;
  FailureFacts failure;
  ProgressFacts progress;
  RecordFacts record;

  Sample() {
    request.id = "req_test";
    request.time_ms = 1'800'000'000'000;
    request.ip = IpAddress::v4({192, 0, 2, 1});
    request.method = "POST";
    request.path = "/v1/chat/completions";
    request.protocol = "openai_chat";
    request.operation = "chat";
    request.model = "model-test";
    request.requested_model = request.model;
    request.input_tokens_estimate = 100;
    request.key.id = "key_test";
    request.tenant.id = "ten_test";
    request.tenant.kind = "company";
    request.tenant.name = "test";
    request.tenant.path = path;
    request.tenant.available = Money::nanos(10 * Money::kNanosPerUsd);
    candidate.channel = "channel-test";
    candidate.provider = "openai";
    candidate.protocol = "openai_chat";
    candidate.upstream_model = "model-test";
    candidate.price = price;
    work = {&candidate, &request, {}};
    line.model = "model-test";
    line.meter = "input";
    line.rate = *Rate::picos(2'500'000);
    attempt.channel = "channel-test";
    attempt.provider = "openai";
    attempt.upstream_model = "model-test";
    record.status = 200;
    record.channel = "channel-test";
    record.provider = "openai";
    record.upstream_model = "model-test";
    record.attempts = 1;
  }
};

const Sample& sample() {
  static const Sample kSample;
  return kSample;
}

struct Made {
  const char* name;  // t.NAME{...}
  const ViewType& type;
  const void* facts;
};

std::span<const Made> made() {
  static const Made kMade[] = {
      {"request", kRequestView, &sample().request}, {"candidate", kCandidateView, &sample().work},
      {"line", kLineView, &sample().line},          {"attempt", kAttemptView, &sample().attempt},
      {"failure", kFailureView, &sample().failure}, {"progress", kProgressView, &sample().progress},
      {"record", kRecordView, &sample().record}};
  return kMade;
}

// Upvalue: the view's type. A field that is nil is known all the same.
int index_made(lua_State* L) {
  const auto& type = *static_cast<const ViewType*>(lua_touserdata(L, lua_upvalueindex(1)));
  const std::string_view key = check_text(L, 2, 64);
  for (const ViewField& field : type.fields)
    if (field.name == key) return 0;
  return luaL_error(L, "%s has no field '%s'", type.called, key.data());
}

// Sets what the table at `given` (0: nothing) says over the defaults in the table on top of the
// stack, and makes that one refuse unknown fields.
void overlay(lua_State* L, const ViewType& type, int given) {
  luaL_checkstack(L, 8, "making a table");
  const int table = lua_gettop(L);
  if (given > 0 && script::push_table_at(L, given)) {
    const int from = lua_gettop(L);
    lua_pushnil(L);
    while (lua_next(L, from)) {
      const std::string_view key = check_text(L, -2, 64);
      const ViewField* field = nullptr;
      for (const ViewField& one : type.fields)
        if (one.name == key) field = &one;
      if (!field) luaL_error(L, "%s has no field '%s'", type.called, key.data());
      if (field->nested) {
        const int value = lua_gettop(L);
        lua_getfield(L, table, field->name);
        overlay(L, *field->nested, value);
        lua_pop(L, 2);
      } else {
        lua_setfield(L, table, field->name);
      }
    }
    lua_pop(L, 1);
  }
  lua_createtable(L, 0, 1);
  lua_pushlightuserdata(L, const_cast<ViewType*>(&type));
  lua_pushcclosure(L, index_made, 1);
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, table);
}

// Nested tables that were not overlaid get their metatable too.
void guard_nested(lua_State* L, const ViewType& type) {
  const int table = lua_gettop(L);
  for (const ViewField& field : type.fields) {
    if (!field.nested) continue;
    lua_getfield(L, table, field.name);
    if (!lua_getmetatable(L, -1)) overlay(L, *field.nested, 0);
    lua_settop(L, table);
  }
}

// A request whose test names its model was made by that name, unless it names another. The request
// is on top of the stack.
void follow_model(lua_State* L, int given) {
  const int table = lua_gettop(L);
  if (!script::push_table_at(L, given)) return;
  lua_getfield(L, -1, "requested_model");
  if (lua_isnil(L, -1)) {
    lua_getfield(L, table, "model");
    lua_setfield(L, table, "requested_model");
  }
  lua_settop(L, table);
}

// Upvalue: the Made.
int make(lua_State* L) {
  const auto& what = *static_cast<const Made*>(lua_touserdata(L, lua_upvalueindex(1)));
  lua_settop(L, 1);
  push_as_table(L, what.type, what.facts);
  overlay(L, what.type, 1);
  if (&what.type == &kRequestView) follow_model(L, 1);
  guard_nested(L, what.type);
  return 1;
}

}  // namespace

void add_makers(lua_State* L) {
  for (const Made& what : made()) {
    lua_pushlightuserdata(L, const_cast<Made*>(&what));
    lua_pushcclosure(L, make, 1);
    lua_setfield(L, -2, what.name);
  }
}

const RequestFacts& sample_request() { return sample().request; }

}  // namespace mg::api
