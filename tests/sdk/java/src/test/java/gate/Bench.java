package gate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.core.http.HttpResponse;
import com.openai.models.chat.completions.ChatCompletionCreateParams;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What every test has at hand: clients of the real SDK, the wallet, what callers were told. */
final class Bench {
  static final String MODEL = "gpt-4o-mini";

  static String setting(String name) {
    String value = System.getenv("MOONGATE_SDK_" + name);
    assertTrue(value != null, name + " is not set: run it with tests/sdk/run");
    return value;
  }

  static OpenAIOkHttpClient.Builder client(String key) {
    return OpenAIOkHttpClient.builder().baseUrl(setting("URL")).apiKey(key).maxRetries(0);
  }

  static OpenAIClient client() {
    return client(setting("KEY")).build();
  }

  static ChatCompletionCreateParams.Builder ask() {
    return ChatCompletionCreateParams.builder()
        .model(MODEL)
        .addUserMessage("How do tides come about?");
  }

  /** Notes what the head of an answer tells of its cost. */
  static void tell(HttpResponse response) {
    tell(header(response, "x-request-id"), header(response, "x-moongate-cost"));
  }

  /** Without a cost: the caller was told none, or not yet. */
  static synchronized void tell(String request, String cost) {
    String said = cost.isEmpty() ? "" : ",\"cost\":\"" + cost + "\"";
    String line = "{\"request\":\"" + request + "\"" + said + "}\n";
    try {
      Files.writeString(
          Path.of(setting("TOLD")), line, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static String header(HttpResponse response, String name) {
    List<String> values = response.headers().values(name);
    return values.isEmpty() ? "" : values.get(0);
  }

  static String wallet(String member) throws Exception {
    return member(moongate("wallet", "show", "--tenant", setting("TENANT")), member);
  }

  static void waitUntilNothingIsHeld() throws Exception {
    for (long deadline = System.nanoTime() + 10_000_000_000L; ; Thread.sleep(20)) {
      if (wallet("held").equals("0.000000000")) return;
      assertTrue(System.nanoTime() < deadline, "something is still held");
    }
  }

  static long upstreamRequests() throws Exception {
    HttpRequest request = HttpRequest.newBuilder(URI.create(setting("LAB") + "/lab/counts")).build();
    var body = java.net.http.HttpResponse.BodyHandlers.ofString();
    return Long.parseLong(member(HttpClient.newHttpClient().send(request, body).body(), "requests"));
  }

  private static String moongate(String... arguments) throws Exception {
    List<String> command = new ArrayList<>();
    command.addAll(List.of(setting("BINARY"), "--config", setting("CONFIG"), "--json"));
    command.addAll(List.of(arguments));
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, process.waitFor(), out);
    return out;
  }

  // The member of a flat JSON object.
  private static String member(String json, String name) {
    Matcher found = Pattern.compile("\"" + name + "\":\"?([^\",}]*)").matcher(json);
    assertTrue(found.find(), json);
    return found.group(1);
  }

  private Bench() {}
}
