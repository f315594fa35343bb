#include "base/calendar.h"
#include "control/bounds.h"
#include "control/operations.h"

namespace mg::control {
namespace {

Json to_json(const directory::TenantEntry& entry) {
  const directory::Tenant& tenant = entry.tenant;
  Json json = {{"id", directory::tenant_text(tenant.id)},
               {"name", tenant.name},
               {"kind", directory::name(tenant.kind)}};
  if (tenant.kind != directory::TenantKind::platform) {
    json["parent"] = directory::tenant_text(tenant.parent);
    json["created"] = format_time_ms(tenant.created_ms);
  }
  json["suspended"] = tenant.suspended;
  if (entry.suspended && !tenant.suspended) json["suspended_above"] = true;
  return json;
}

tl::unexpected<Error> unknown(const Id& id) {
  return fail(Errc::not_found, "there is no tenant " + directory::tenant_text(id));
}

}  // namespace

event::Task<Result<Json>> Operations::tenant_create(Args args) {
  directory::Tenant tenant;
  tenant.name = args.label("name", kNameBytesMax);
  const auto kind = directory::parse_tenant_kind(args.text_or("kind", "company"));
  const auto parent = directory::parse_tenant(args.text_or("parent", "platform"));
  MG_CO_CHECK(args.ok());
  if (!parent) co_return fail(Errc::invalid, "--parent must be the id of a tenant");
  if (!kind || *kind == directory::TenantKind::platform)
    co_return fail(Errc::invalid, "--kind must be company, agent or employee");
  const auto above = find_tenant(*parent);
  if (!above) co_return unknown(*parent);
  if (!directory::may_be_parent(above->tenant.kind, *kind))
    co_return fail(Errc::invalid, "a tenant of kind " + std::string(directory::name(*kind)) +
                                      " cannot stand below one of kind " +
                                      std::string(directory::name(above->tenant.kind)));
  tenant.id = Id::make(r_.loop.clock(), r_.rng);
  tenant.kind = *kind;
  tenant.parent = *parent;
  tenant.created_ms = now_ms();
  MG_CO_CHECK(co_await r_.writing->editor.put(tenant));
  MG_CO_CHECK(co_await r_.site.publish_directory());
  co_return to_json(*find_tenant(tenant.id));
}

event::Task<Result<Json>> Operations::tenant_list(Args args) {
  MG_CO_CHECK(args.ok());
  Json list = Json::array();
  for (const auto& [id, entry] : directory()->tenants()) list.push_back(to_json(*entry));
  co_return list;
}

event::Task<Result<Json>> Operations::tenant_show(Args args) {
  const Id id = args.tenant("id");
  MG_CO_CHECK(args.ok());
  const auto entry = find_tenant(id);
  if (!entry) co_return unknown(id);
  Json json = to_json(*entry);
  json["path"] = entry->path;
  size_t keys = 0;
  for (const auto& key : directory()->keys()) keys += key->tenant == id && !key->revoked;
  json["keys"] = keys;
  if (!entry->payer.is_nil()) json["pays"] = directory::tenant_text(entry->payer);
  co_return json;
}

event::Task<Result<Json>> Operations::tenant_suspend(Args args) {
  Result<Json> done = co_await set_suspended(std::move(args), true);
  co_return done;
}

event::Task<Result<Json>> Operations::tenant_resume(Args args) {
  Result<Json> done = co_await set_suspended(std::move(args), false);
  co_return done;
}

event::Task<Result<Json>> Operations::set_suspended(Args args, bool suspended) {
  const Id id = args.tenant("id");
  MG_CO_CHECK(args.ok());
  const auto entry = find_tenant(id);
  if (!entry) co_return unknown(id);
  directory::Tenant tenant = entry->tenant;
  if (tenant.kind == directory::TenantKind::platform)
    co_return fail(Errc::refused, "the platform itself cannot be suspended");
  tenant.suspended = suspended;
  MG_CO_CHECK(co_await r_.writing->editor.put(tenant));
  MG_CO_CHECK(co_await r_.site.publish_directory());
  co_return to_json(*find_tenant(id));
}

}  // namespace mg::control
