#include "api/view.h"
#include "base/clock.h"

namespace mg::api {
namespace {

const RequestFacts& request(const void* facts) { return *static_cast<const RequestFacts*>(facts); }

constexpr ViewField kKeyFields[] = {
    field<&KeyFacts::id>("id"),
    field<&KeyFacts::name>("name"),
    field<&KeyFacts::group>("group"),
    field<&KeyFacts::tags>("tags"),
    field<&KeyFacts::models>("models"),
    field<&KeyFacts::allow_ip>("allow_ip"),
    field_unless_zero<&KeyFacts::rpm>("rpm"),
    field_unless_zero<&KeyFacts::tpm>("tpm"),
    field<&KeyFacts::daily_limit>("daily_limit"),
};

constexpr ViewField kTenantFields[] = {
    field<&TenantFacts::id>("id"),
    field<&TenantFacts::kind>("kind"),
    field<&TenantFacts::name>("name"),
    field<&TenantFacts::path>("path"),
};

constexpr ViewField kFeatureFields[] = {
    field<&FeatureFacts::tools>("tools"),         field<&FeatureFacts::images>("images"),
    field<&FeatureFacts::audio>("audio"),         field<&FeatureFacts::json_schema>("json_schema"),
    field<&FeatureFacts::reasoning>("reasoning"),
};

constexpr ViewField kConstraintFields[] = {
    field<&ConstraintFacts::only>("only"),
    field<&ConstraintFacts::ignore>("ignore"),
    field<&ConstraintFacts::order>("order"),
    field<&ConstraintFacts::input_rate_max>("input_rate_max"),
    field<&ConstraintFacts::output_rate_max>("output_rate_max"),
    field<&ConstraintFacts::allow_fallbacks>("allow_fallbacks"),
    {"given",
     [](lua_State* L, const void* facts) {
       push_fact(L, static_cast<const ConstraintFacts*>(facts)->given());
     }},
};

}  // namespace

constexpr ViewType kKeyView{"gate.Key", "req.key", kKeyFields};
constexpr ViewType kTenantView{"gate.Tenant", "req.tenant", kTenantFields};
constexpr ViewType kFeatureView{"gate.Has", "req.has", kFeatureFields};
constexpr ViewType kConstraintView{"gate.Constraints", "req.constraints", kConstraintFields};

namespace {

constexpr ViewField kRequestFields[] = {
    field<&RequestFacts::id>("id"),
    {"time", [](lua_State* L, const void* facts) { push_fact(L, request(facts).time_ms / 1000); }},
    {"ip", [](lua_State* L, const void* facts) { push_fact(L, request(facts).ip.text()); }},
    field<&RequestFacts::method>("method"),
    field<&RequestFacts::path>("path"),
    field<&RequestFacts::protocol>("protocol"),
    field<&RequestFacts::operation>("operation"),
    field<&RequestFacts::model>("model"),
    field<&RequestFacts::aliases>("aliases"),
    field<&RequestFacts::requested_model>("requested_model"),
    field<&RequestFacts::session>("session"),
    field<&RequestFacts::stream>("stream"),
    field<&RequestFacts::bytes>("bytes"),
    field<&RequestFacts::input_tokens_estimate>("input_tokens_estimate"),
    field_unless_zero<&RequestFacts::max_output_tokens>("max_output_tokens"),
    nested_field<&RequestFacts::key>("key", kKeyView),
    nested_field<&RequestFacts::tenant>("tenant", kTenantView),
    nested_field<&RequestFacts::has>("has", kFeatureView),
    nested_field<&RequestFacts::constraints>("constraints", kConstraintView),
};

}  // namespace

constexpr ViewType kRequestView{"gate.Request", "req", kRequestFields};

}  // namespace mg::api
