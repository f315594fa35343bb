#include "cli/cli.h"

namespace mg::cli {
namespace {

struct Options {
  std::string name, kind = "company", parent = "platform", id;
};

void print_list(const Json& list) {
  std::vector<std::vector<std::string>> rows = {{"ID", "NAME", "KIND", "PARENT", "SUSPENDED"}};
  for (const Json& tenant : list)
    rows.push_back({shown(tenant, "id"), shown(tenant, "name"), shown(tenant, "kind"),
                    shown(tenant, "parent"), shown(tenant, "suspended")});
  print_table(rows);
}

}  // namespace

void add_tenant(Cli& cli) {
  const auto options = std::make_shared<Options>();
  CLI::App* tenant = cli.group("tenant", "Companies, agents and employees");

  CLI::App* create = cli.command(tenant, "create", "Create a tenant", [&cli, options] {
    return run_operation(
        cli, "tenant.create",
        {{"name", options->name}, {"kind", options->kind}, {"parent", options->parent}},
        print_members);
  });
  create->add_option("--name", options->name, "What people call it")->required();
  create->add_option("--kind", options->kind, "What it is")
      ->check(CLI::IsMember({"company", "agent", "employee"}))
      ->capture_default_str();
  create->add_option("--parent", options->parent, "The tenant above it")->capture_default_str();

  cli.command(tenant, "list", "List all tenants",
              [&cli] { return run_operation(cli, "tenant.list", Json::object(), print_list); });
  struct One {
    const char* name;
    const char* operation;
    const char* help;
  };
  for (const One& one :
       {One{"show", "tenant.show", "Show one tenant"},
        One{"suspend", "tenant.suspend", "Refuse its requests, and its children's"},
        One{"resume", "tenant.resume", "Take a suspension back"}}) {
    CLI::App* added = cli.command(tenant, one.name, one.help, [&cli, options, one] {
      return run_operation(cli, one.operation, {{"id", options->id}}, print_members);
    });
    added->add_option("ID", options->id, "The tenant")->required();
  }
}

}  // namespace mg::cli
