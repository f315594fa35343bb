package gate;

import static gate.Bench.ask;
import static gate.Bench.client;
import static gate.Bench.setting;
import static gate.Bench.tell;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.openai.client.OpenAIClient;
import com.openai.core.JsonValue;
import com.openai.core.http.HttpResponseFor;
import com.openai.core.http.StreamResponse;
import com.openai.errors.BadRequestException;
import com.openai.errors.NotFoundException;
import com.openai.errors.OpenAIException;
import com.openai.errors.OpenAIIoException;
import com.openai.errors.OpenAIServiceException;
import com.openai.errors.PermissionDeniedException;
import com.openai.errors.RateLimitException;
import com.openai.errors.UnauthorizedException;
import com.openai.models.FunctionDefinition;
import com.openai.models.FunctionParameters;
import com.openai.models.chat.completions.ChatCompletion;
import com.openai.models.chat.completions.ChatCompletionChunk;
import com.openai.models.chat.completions.ChatCompletionCreateParams;
import com.openai.models.chat.completions.ChatCompletionStreamOptions;
import com.openai.models.embeddings.EmbeddingCreateParams;
import java.math.BigDecimal;
import java.time.Duration;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** The official SDK for Java against the real gateway. */
class GatewayTest {
  private static final ChatCompletionStreamOptions USAGE =
      ChatCompletionStreamOptions.builder().includeUsage(true).build();

  private static ChatCompletionCreateParams.Builder faulty(String... knobs) {
    ChatCompletionCreateParams.Metadata.Builder metadata =
        ChatCompletionCreateParams.Metadata.builder();
    for (int i = 0; i < knobs.length; i += 2)
      metadata.putAdditionalProperty(knobs[i], JsonValue.from(knobs[i + 1]));
    return ask().metadata(metadata.build());
  }

  private static ChatCompletion chat(OpenAIClient client, ChatCompletionCreateParams params) {
    try (HttpResponseFor<ChatCompletion> raw =
        client.chat().completions().withRawResponse().create(params)) {
      tell(raw);
      return raw.parse();
    }
  }

  // Opens a stream; what it costs is told at its end, or never.
  private static HttpResponseFor<StreamResponse<ChatCompletionChunk>> open(
      OpenAIClient client, ChatCompletionCreateParams params) {
    var raw = client.chat().completions().withRawResponse().createStreaming(params);
    tell(raw);
    return raw;
  }

  private static List<ChatCompletionChunk> readToEnd(ChatCompletionCreateParams params) {
    try (var raw = open(client(), params);
        StreamResponse<ChatCompletionChunk> stream = raw.parse()) {
      List<ChatCompletionChunk> chunks = stream.stream().collect(Collectors.toList());
      ChatCompletionChunk last = chunks.get(chunks.size() - 1);
      assertTrue(last.choices().isEmpty());
      JsonValue cost = last.usage().orElseThrow()._additionalProperties().get("cost");
      tell(Bench.header(raw, "x-request-id"), cost.convert(BigDecimal.class).toPlainString());
      return chunks;
    }
  }

  private static String textOf(List<ChatCompletionChunk> chunks) {
    return chunks.stream()
        .flatMap(chunk -> chunk.choices().stream())
        .map(choice -> choice.delta().content().orElse(""))
        .collect(Collectors.joining());
  }

  @Test
  void plain() {
    ChatCompletionCreateParams params = ask().build();
    try (HttpResponseFor<ChatCompletion> raw =
        client().chat().completions().withRawResponse().create(params)) {
      tell(raw);
      ChatCompletion answer = raw.parse();
      assertTrue(answer.choices().get(0).message().content().orElseThrow().length() > 20);
      var usage = answer.usage().orElseThrow();
      long nanos = usage.promptTokens() * 150 + usage.completionTokens() * 600;
      BigDecimal told = new BigDecimal(Bench.header(raw, "x-moongate-cost"));
      assertEquals(0, told.compareTo(BigDecimal.valueOf(nanos, 9)));
    }
  }

  @Test
  void stream() {
    ChatCompletion plain = chat(client(), ask().build());
    List<ChatCompletionChunk> chunks = readToEnd(ask().streamOptions(USAGE).build());
    assertEquals(plain.choices().get(0).message().content().orElseThrow(), textOf(chunks));
    assertEquals(
        plain.usage().orElseThrow().totalTokens(),
        chunks.get(chunks.size() - 1).usage().orElseThrow().totalTokens());
  }

  @Test
  void streamWithoutUsage() {
    try (var stream = open(client(), ask().build()).parse()) {
      List<ChatCompletionChunk> chunks = stream.stream().collect(Collectors.toList());
      assertTrue(textOf(chunks).length() > 20);
      assertTrue(chunks.stream().allMatch(chunk -> chunk.usage().isEmpty()));
    }
  }

  @Test
  void leavingAStream() throws Exception {
    String before = Bench.wallet("balance");
    try (var stream =
        open(client(), faulty("x-lab-interval-ms", "20", "x-lab-tokens", "400").build()).parse()) {
      Iterator<ChatCompletionChunk> chunks = stream.stream().iterator();
      for (int i = 0; i < 6; ++i) chunks.next();
    }
    Bench.waitUntilNothingIsHeld();
    assertNotEquals(before, Bench.wallet("balance"));
  }

  @Test
  void brokenStream() throws Exception {
    var params = faulty("x-lab-fault", "reset-in-body", "x-lab-fault-at", "6").build();
    try (var stream = open(client(), params).parse()) {
      OpenAIException error =
          assertThrows(OpenAIException.class, () -> stream.stream().forEach(chunk -> {}));
      assertTrue(error.toString().contains("failed to answer"), error.toString());
    }
    Bench.waitUntilNothingIsHeld();
  }

  @Test
  void tools() {
    FunctionDefinition weather =
        FunctionDefinition.builder()
            .name("get_weather")
            .description("The weather in a city")
            .parameters(
                FunctionParameters.builder()
                    .putAdditionalProperty("type", JsonValue.from("object"))
                    .putAdditionalProperty(
                        "properties", JsonValue.from(Map.of("city", Map.of("type", "string"))))
                    .build())
            .build();
    var params =
        ChatCompletionCreateParams.builder()
            .model(Bench.MODEL)
            .addUserMessage("What is the weather like in Paris?")
            .addFunctionTool(weather);
    var call = chat(client(), params.build()).choices().get(0).message().toolCalls().orElseThrow();
    assertEquals("get_weather", call.get(0).asFunction().function().name());
    String streamed =
        readToEnd(params.streamOptions(USAGE).build()).stream()
            .flatMap(chunk -> chunk.choices().stream())
            .flatMap(choice -> choice.delta().toolCalls().stream())
            .flatMap(List::stream)
            .map(piece -> piece.function().orElseThrow().arguments().orElse(""))
            .collect(Collectors.joining());
    assertEquals(call.get(0).asFunction().function().arguments(), streamed);
  }

  @Test
  void embeddingsAndModels() {
    var params =
        EmbeddingCreateParams.builder()
            .model("text-embedding-3-small")
            .inputOfArrayOfStrings(List.of("moon", "sea"))
            .build();
    try (var raw = client().embeddings().withRawResponse().create(params)) {
      tell(raw);
      assertEquals(1536, raw.parse().data().get(1).embedding().size());
    }
    assertEquals(7, client().models().list().data().size());
    assertEquals(Bench.MODEL, client().models().retrieve(Bench.MODEL).id());
  }

  private static <E extends OpenAIServiceException> void refused(
      Class<E> kind, int status, String code, String key, ChatCompletionCreateParams params)
      throws Exception {
    long asked = Bench.upstreamRequests();
    OpenAIClient client = client(key).maxRetries(2).build();
    E error = assertThrows(kind, () -> chat(client, params));
    assertEquals(status, error.statusCode());
    assertEquals(code, error.code().orElseThrow());
    assertEquals(asked, Bench.upstreamRequests());
  }

  @Test
  void errors() throws Exception {
    var params = ask().build();
    String unknown = "mg-" + "0".repeat(43);
    refused(UnauthorizedException.class, 401, "invalid_api_key", unknown, params);
    refused(
        OpenAIServiceException.class, 402, "insufficient_quota", setting("KEY_EMPTY"), params);
    refused(
        PermissionDeniedException.class, 403, "model_not_allowed", setting("KEY_NARROW"), params);
    String key = setting("KEY");
    refused(NotFoundException.class, 404, "model_not_found", key, ask().model("none").build());
    refused(BadRequestException.class, 400, "invalid_value", key, ask().n(0).build());
  }

  @Test
  void rateLimits() {
    ChatCompletionCreateParams params = ask().maxTokens(1).build();
    OpenAIClient hasty = client(setting("KEY_BRISK")).build();
    RateLimitException error =
        assertThrows(
            RateLimitException.class,
            () -> {
              for (int i = 0; i < 100; ++i) chat(hasty, params);
            });
    assertEquals(List.of("1"), error.headers().values("retry-after"));
    // A token may have come back meanwhile: until one of these has to wait. An SDK that came back
    // too early would use up its retries, and fail.
    OpenAIClient patient = client(setting("KEY_BRISK")).maxRetries(2).build();
    long longest = 0;
    for (int i = 0; i < 200 && longest < 900_000_000L; ++i) {
      long began = System.nanoTime();
      chat(patient, params);
      longest = Math.max(longest, System.nanoTime() - began);
    }
    assertTrue(longest >= 900_000_000L, "no request had to wait");
  }

  @Test
  void timeouts() throws Exception {
    String before = Bench.wallet("balance");
    OpenAIClient hasty = client(setting("KEY")).timeout(Duration.ofMillis(300)).build();
    assertThrows(
        OpenAIIoException.class, () -> chat(hasty, faulty("x-lab-delay-ms", "5000").build()));
    Bench.waitUntilNothingIsHeld();
    assertEquals(before, Bench.wallet("balance"));
  }

  @Test
  void fiftyAtOnce() {
    OpenAIClient client = client();
    List<CompletableFuture<ChatCompletion>> answers =
        IntStream.range(0, 50)
            .mapToObj(i -> CompletableFuture.supplyAsync(() -> chat(client, ask().build())))
            .collect(Collectors.toList());
    for (CompletableFuture<ChatCompletion> answer : answers)
      assertEquals(1, answer.join().choices().size());
  }

  @Test
  void idempotencyKey() throws Exception {
    long asked = Bench.upstreamRequests();
    var params = ask().putAdditionalHeader("Idempotency-Key", UUID.randomUUID().toString()).build();
    assertEquals(chat(client(), params), chat(client(), params));
    assertEquals(asked + 1, Bench.upstreamRequests());
  }
}
