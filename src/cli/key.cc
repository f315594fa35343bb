#include <cstdio>

#include "base/text.h"
#include "cli/cli.h"
#include "control/bounds.h"

namespace mg::cli {
namespace {

struct Options {
  CLI::App* create = nullptr;
  CLI::App* rotate = nullptr;
  std::string tenant, name, models, group, daily_limit, expires, id, grace;
  std::vector<std::string> allow_ip, tags;
  int64_t rpm = 0, tpm = 0;
};

// What was given counts, also where it is empty: "--models ''" must not be a key for all models.
Json create_arguments(const Options& options) {
  Json arguments = {{"tenant", options.tenant}};
  const auto add = [&](const char* option, const char* name, const auto& value) {
    if (options.create->count(option) > 0) arguments[name] = value;
  };
  std::vector<std::string> models;
  for (std::string_view model : split(options.models, ',')) models.emplace_back(trimmed(model));
  add("--name", "name", options.name);
  add("--models", "models", models);
  add("--allow-ip", "allow_ip", options.allow_ip);
  add("--tag", "tags", options.tags);
  add("--group", "group", options.group);
  add("--rpm", "rpm", options.rpm);
  add("--tpm", "tpm", options.tpm);
  add("--daily-limit", "daily_limit", options.daily_limit);
  add("--expires", "expires", options.expires);
  return arguments;
}

void print_secret(const Json& key) {
  print_members(key);
  std::printf("\nKeep the key now: it is not stored and will not be shown again.\n");
}

void print_list(const Json& list) {
  std::vector<std::vector<std::string>> rows = {
      {"ID", "NAME", "GROUP", "MODELS", "DAILY LIMIT", "EXPIRES", "REVOKED"}};
  for (const Json& key : list)
    rows.push_back({shown(key, "id"), shown(key, "name"), shown(key, "group"), shown(key, "models"),
                    shown(key, "daily_limit"), shown(key, "expires"), shown(key, "revoked")});
  print_table(rows);
}

}  // namespace

void add_key(Cli& cli) {
  const auto options = std::make_shared<Options>();
  CLI::App* key = cli.group("key", "API keys");

  CLI::App* create = cli.command(key, "create", "Create a key, and show it once", [&cli, options] {
    return run_operation(cli, "key.create", create_arguments(*options), print_secret);
  });
  options->create = create;
  create->add_option("--tenant", options->tenant, "Whose key")->required();
  create->add_option("--name", options->name, "What people call it");
  create->add_option("--models", options->models,
                     "Models it may call: a,b or patterns like gpt-4o*");
  create->add_option("--allow-ip", options->allow_ip, "Address or network it may come from")
      ->take_all();
  create->add_option("--tag", options->tags, "A tag for policies to see")->take_all();
  const CLI::Validator per_minute = decimal<int64_t>(1, control::kRateMax);
  create->add_option("--rpm", options->rpm, "Requests per minute; without it no limit")
      ->transform(per_minute);
  create->add_option("--tpm", options->tpm, "Tokens per minute; without it no limit")
      ->transform(per_minute);
  create->add_option("--group", options->group, "Token group, for pricing");
  create->add_option("--daily-limit", options->daily_limit, "USD per UTC day, like 5.00");
  create->add_option("--expires", options->expires, "24h, 30d, or 2026-12-31T23:59:59Z");

  CLI::App* list = cli.command(key, "list", "List a tenant's keys", [&cli, options] {
    return run_operation(cli, "key.list", {{"tenant", options->tenant}}, print_list);
  });
  list->add_option("--tenant", options->tenant, "Whose keys")->required();

  CLI::App* revoke = cli.command(key, "revoke", "End a key, at once", [&cli, options] {
    return run_operation(cli, "key.revoke", {{"id", options->id}}, print_members);
  });
  revoke->add_option("ID", options->id, "The key's id, key_...")->required();

  CLI::App* rotate = cli.command(key, "rotate", "Replace a key's secret", [&cli, options] {
    Json arguments = {{"id", options->id}};
    if (options->rotate->count("--grace") > 0) arguments["grace"] = options->grace;
    return run_operation(cli, "key.rotate", std::move(arguments), print_secret);
  });
  options->rotate = rotate;
  rotate->add_option("ID", options->id, "The key's id, key_...")->required();
  rotate->add_option("--grace", options->grace, "How long the old secret still opens, like 24h");
}

}  // namespace mg::cli
