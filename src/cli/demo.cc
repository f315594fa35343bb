// The whole gateway in one command: two built-in providers behind it, a tenant with credit, a key,
// and what to try next.
#include <stdlib.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "api/provider.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/lab_thread.h"
#include "server/generation.h"
#include "server/process.h"

namespace mg::cli {
namespace {

constexpr uint16_t kDemoPort = 8080;
constexpr const char* kCredit = "10.00";
constexpr const char* kModel = "gpt-4o-mini";
constexpr const char* kModelProvider = "openai";

struct Options {
  uint16_t port = kDemoPort;
  std::string scripts = "scripts";
  std::string data = "data";
};

// Removed with everything in it.
class TemporaryState {
 public:
  TemporaryState() {
    std::error_code error;
    const std::filesystem::path parent = std::filesystem::temp_directory_path(error);
    std::string pattern = (parent / "moongate-demo-XXXXXX").string();
    if (!error && mkdtemp(pattern.data())) path_ = pattern;
  }
  ~TemporaryState() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  TemporaryState(const TemporaryState&) = delete;
  const std::string& path() const { return path_; }  // empty: it could not be made

 private:
  std::string path_;
};

// The vendors whose usual environment variable is set.
std::vector<api::Provider> vendors_at_hand(const script::SourceTree& tree,
                                           const script::Bundle& bundle) {
  constexpr std::string_view kFolder = "providers/";
  constexpr std::string_view kSuffix = ".lua";
  std::vector<api::Provider> out;
  for (const script::File& file : tree.scripts) {
    if (!file.path.starts_with(kFolder)) continue;
    const std::string name =
        file.path.substr(kFolder.size(), file.path.size() - kFolder.size() - kSuffix.size());
    auto provider = api::provider(bundle, name);
    if (provider && !provider->env.empty() && !provider->base_url.empty() &&
        server::process_environment(provider->env).value_or("") != "")
      out.push_back(std::move(*provider));
  }
  return out;
}

std::string quoted(const std::string& text) { return "[==[" + text + "]==]"; }

// The configuration that an operator would have written for this.
std::string configuration(const Options& options, const std::vector<SocketAddress>& labs,
                          const std::vector<api::Provider>& vendors) {
  std::string out =
      "return {\n  listen = { { address = \"127.0.0.1:" + std::to_string(options.port) +
      "\" } },\n  state = \"state\",\n  scripts = " + quoted(options.scripts) +
      ",\n  data = " + quoted(options.data) +
      ",\n  log = { level = \"warning\" },\n  channels = {\n";
  for (const api::Provider& vendor : vendors)
    out += "    { id = \"" + vendor.name + "\", provider = \"" + vendor.name +
           "\", credential = env(\"" + vendor.env +
           "\"), priority = 1, models = { [\"*\"] = true } },\n";
  static constexpr const char* kRegions[] = {"east", "west"};
  for (size_t i = 0; i < labs.size(); ++i)
    out += "    { id = \"lab-" + std::string(kRegions[i]) +
           "\", provider = \"openai_compatible\", base_url = \"http://" + labs[i].text() +
           "/v1\", allow_private = true,\n      region = \"" + kRegions[i] +
           "\", priority = " + std::to_string(2 + i) + ", models = { [\"*\"] = true } },\n";
  return out + "  },\n}\n";
}

struct Account {
  std::string tenant;
  std::string key;
};

event::Task<Result<Account>> open_account(control::Operations& operations) {
  Account account;
  Json arguments = {{"name", "Demo"}};
  MG_CO_TRY(const Json tenant, co_await operations.run("tenant.create", arguments));
  account.tenant = tenant["id"].get<std::string>();
  arguments = {{"tenant", account.tenant}, {"amount", kCredit}, {"memo", "demo"}};
  MG_CO_CHECK(co_await operations.run("wallet.credit", arguments));
  arguments = {{"tenant", account.tenant}, {"name", "demo"}};
  MG_CO_TRY(const Json key, co_await operations.run("key.create", arguments));
  account.key = key["key"].get<std::string>();
  co_return account;
}

struct Scene {
  Options options;
  std::string config_file;
  std::string url;
  std::vector<api::Provider> vendors;
};

void print_json(const Scene& scene, const Account& account) {
  const Json json = {{"event", "demo"},
                     {"url", scene.url},
                     {"key", account.key},
                     {"tenant", account.tenant},
                     {"model", kModel},
                     {"config", scene.config_file},
                     {"scripts", scene.options.scripts}};
  std::printf("%s\n", dump(json).c_str());
}

bool serves_model(const api::Provider& vendor) {
  return vendor.catalogue.empty() || vendor.catalogue == kModelProvider;
}

void print_guide(const Scene& scene, const Account& account) {
  const std::string url = scene.url;
  const std::string policy = scene.options.scripts + "/policies/routing.lua";
  std::printf("\nThe gateway serves at %s. Tenant %s has %s USD and this key:\n\n  %s\n",
              url.c_str(), account.tenant.c_str(), kCredit, account.key.c_str());
  for (const api::Provider& vendor : scene.vendors)
    std::printf("\n%s is set: models of %s go to the real provider, and cost real money there.\n",
                vendor.env.c_str(), vendor.name.c_str());
  std::printf(
      "\nWith curl:\n\n"
      "  curl -i %s/chat/completions -H 'authorization: Bearer %s' \\\n"
      "    -H 'content-type: application/json' \\\n"
      "    -d '{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]}'\n",
      url.c_str(), account.key.c_str(), kModel);
  std::printf(
      "\nWith the OpenAI SDK for Python:\n\n"
      "  from openai import OpenAI\n"
      "  client = OpenAI(base_url=\"%s\", api_key=\"%s\")\n"
      "  print(client.chat.completions.create(model=\"%s\",\n"
      "        messages=[{\"role\": \"user\", \"content\": "
      "\"Hello\"}]).choices[0].message.content)\n",
      url.c_str(), account.key.c_str(), kModel);
  const bool is_vendors = std::any_of(scene.vendors.begin(), scene.vendors.end(), serves_model);
  std::printf(
      "\n%s To turn that around, put this line before \"return order\" in\n"
      "  %s\n\n"
      "    for i = 2, #order do if order[i].channel == \"lab-west\" then "
      "order[1], order[i] = order[i], order[1] end end\n\n"
      "save, and send the request again: see x-moongate-channel in its head. What fails the\n"
      "file's own selftest is refused, and said here.\n"
      "\nWhat was spent, and why:\n\n"
      "  moongate --config %s wallet show --tenant %s\n"
      "  moongate --config %s explain REQUEST_ID     (x-request-id of an answer)\n\n"
      "Ctrl-C ends it, and forgets everything.\n",
      is_vendors ? "The real provider is asked first; lab-east and lab-west wait behind it."
                 : "Answers come from lab-east; lab-west waits behind it.",
      policy.c_str(), scene.config_file.c_str(), account.tenant.c_str(), scene.config_file.c_str());
}

event::Task<> introduce(server::Process& process, const Cli& cli, const Scene& scene, int& exit) {
  const Result<Account> account = co_await open_account(process.operations());
  if (!account) {
    exit = failed(account.error().what);
    process.stop();
    co_return;
  }
  if (cli.json) {
    print_json(scene, *account);
  } else {
    print_guide(scene, *account);
  }
  std::fflush(stdout);
}

// The configuration stands in another folder, so its paths must hold there too.
Result<Options> with_absolute_paths(Options options) {
  MG_TRY(options.scripts, absolute_path(options.scripts));
  MG_TRY(options.data, absolute_path(options.data));
  return options;
}

int demo(const Cli& cli, const Options& given) {
  const auto absolute = with_absolute_paths(given);
  if (!absolute) return failed(absolute.error().what);
  const Options& options = *absolute;
  const auto tree = script::read_source_tree(options.scripts, options.data);
  if (!tree)
    return failed(tree.error().what +
                  "\nrun it where scripts/ and data/ are, or name them with --scripts and --data");
  const server::Generation generation = server::build_generation(*tree, 1);
  if (!generation.problems.empty()) return failed(generation.problems);
  const TemporaryState state;
  if (state.path().empty()) return failed("no temporary folder can be made");
  auto labs = LabThread::start({lab::LabOptions(), lab::LabOptions()});
  if (!labs) return failed(labs.error().what);
  Scene scene{options, state.path() + "/moongate.lua", {}, {}};
  scene.vendors = vendors_at_hand(*tree, *generation.bundle);
  std::ofstream(scene.config_file) << configuration(options, (*labs)->addresses(), scene.vendors);
  auto config = server::load_config(scene.config_file, server::process_environment);
  if (!config) return failed(config.error().what);
  set_log_level(config->log_level);
  SystemClock clock;
  server::PrintedAnnouncements announcements;
  auto process = server::Process::start(std::move(*config), clock, announcements);
  if (!process && process.error().code == Errc::conflict)
    return failed(process.error().what + "\nchoose another port with --port");
  if (!process) return failed(process.error().what);
  scene.url = "http://" + (*process)->addresses().front().text() + "/v1";
  int exit = 0;
  (*process)->loop().spawn(introduce(**process, cli, scene, exit));
  (*process)->run();
  return exit;
}

}  // namespace

void add_demo(Cli& cli) {
  const auto options = std::make_shared<Options>();
  CLI::App* added =
      cli.command(nullptr, "demo", "Try the gateway: built-in providers, a tenant, a key",
                  [&cli, options] { return demo(cli, *options); });
  added->add_option("--port", options->port, "On 127.0.0.1; 0: any that is free")
      ->transform(decimal<uint16_t>())
      ->capture_default_str();
  added->add_option("--scripts", options->scripts, "The folder of policies")->capture_default_str();
  added->add_option("--data", options->data, "The folder of models and prices")
      ->capture_default_str();
}

}  // namespace mg::cli
