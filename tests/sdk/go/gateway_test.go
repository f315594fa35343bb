package sdk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/ssestream"
	"github.com/openai/openai-go/v3/shared"
)

type chunks = ssestream.Stream[openai.ChatCompletionChunk]

// readToEnd gathers a stream whose usage was asked for, and notes the cost that its end tells.
func readToEnd(t *testing.T, g *gate, stream *chunks) openai.ChatCompletionAccumulator {
	t.Helper()
	var gathered openai.ChatCompletionAccumulator
	var cost string
	for stream.Next() {
		chunk := stream.Current()
		if cost != "" {
			t.Fatal("something came after the usage")
		}
		gathered.AddChunk(chunk)
		cost = chunk.Usage.JSON.ExtraFields["cost"].Raw()
	}
	must(t, stream.Err())
	if cost == "" {
		t.Fatal("the last chunk tells no cost")
	}
	tell(t, g.request, cost)
	return gathered
}

func streamedAsk() openai.ChatCompletionNewParams {
	params := ask()
	params.StreamOptions.IncludeUsage = openai.Bool(true)
	return params
}

func apiError(t *testing.T, err error) *openai.Error {
	t.Helper()
	var out *openai.Error
	if !errors.As(err, &out) {
		t.Fatalf("%v is no error of the API", err)
	}
	return out
}

func equal(t *testing.T, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}

func TestPlain(t *testing.T) {
	g := connect(t, setting(t, "KEY"))
	answer, err := g.Chat.Completions.New(context.Background(), ask())
	must(t, err)
	if len(answer.Choices[0].Message.Content) < 20 || answer.Choices[0].FinishReason != "stop" {
		t.Fatal(answer.RawJSON())
	}
	nanos := answer.Usage.PromptTokens*150 + answer.Usage.CompletionTokens*600
	told, err := parseNanos(g.cost)
	must(t, err)
	equal(t, told, nanos)
}

// parseNanos reads decimal USD with nine places at most.
func parseNanos(text string) (int64, error) {
	whole, places, _ := strings.Cut(text, ".")
	if len(places) > 9 {
		return 0, fmt.Errorf("%s has too many places", text)
	}
	return strconv.ParseInt(whole+places+strings.Repeat("0", 9-len(places)), 10, 64)
}

func TestStream(t *testing.T) {
	g := connect(t, setting(t, "KEY"))
	plain, err := g.Chat.Completions.New(context.Background(), ask())
	must(t, err)
	cost := g.cost
	gathered := readToEnd(t, g, g.Chat.Completions.NewStreaming(context.Background(), streamedAsk()))
	equal(t, gathered.Choices[0].Message.Content, plain.Choices[0].Message.Content)
	equal(t, gathered.Usage.TotalTokens, plain.Usage.TotalTokens)
	if cost == "" {
		t.Fatal("the plain answer tells no cost")
	}
}

func TestStreamWithoutUsage(t *testing.T) {
	g := connect(t, setting(t, "KEY"))
	stream := g.Chat.Completions.NewStreaming(context.Background(), ask())
	text := ""
	for stream.Next() {
		chunk := stream.Current()
		equal(t, len(chunk.Choices), 1)
		text += chunk.Choices[0].Delta.Content
	}
	must(t, stream.Err())
	if len(text) < 20 {
		t.Fatal(text)
	}
}

func TestLeavingAStream(t *testing.T) {
	g := connect(t, setting(t, "KEY"))
	params := ask()
	params.Metadata = shared.Metadata{"x-lab-interval-ms": "20", "x-lab-tokens": "400"}
	before := readWallet(t).Balance
	stream := g.Chat.Completions.NewStreaming(context.Background(), params)
	for range 6 {
		if !stream.Next() {
			t.Fatal(stream.Err())
		}
	}
	must(t, stream.Close())
	waitUntilNothingIsHeld(t)
	if readWallet(t).Balance == before {
		t.Fatal("what came was not charged")
	}
}

func TestToolsPlainAndStreamed(t *testing.T) {
	g := connect(t, setting(t, "KEY"))
	params := streamedAsk()
	params.Messages = []openai.ChatCompletionMessageParamUnion{
		openai.UserMessage("What is the weather like in Paris?"),
	}
	params.Tools = []openai.ChatCompletionToolUnionParam{
		openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{
			Name:        "get_weather",
			Description: openai.String("The weather in a city"),
			Parameters: shared.FunctionParameters{
				"type":       "object",
				"properties": map[string]any{"city": map[string]string{"type": "string"}},
				"required":   []string{"city"},
			},
		}),
	}
	gathered := readToEnd(t, g, g.Chat.Completions.NewStreaming(context.Background(), params))
	params.StreamOptions = openai.ChatCompletionStreamOptionsParam{}
	plain, err := g.Chat.Completions.New(context.Background(), params)
	must(t, err)
	for _, message := range []openai.ChatCompletionMessage{
		gathered.Choices[0].Message, plain.Choices[0].Message,
	} {
		call := message.ToolCalls[0].Function
		equal(t, call.Name, "get_weather")
		var arguments struct{ City string }
		must(t, json.Unmarshal([]byte(call.Arguments), &arguments))
	}
}

func TestEmbeddings(t *testing.T) {
	g := connect(t, setting(t, "KEY"))
	answer, err := g.Embeddings.New(context.Background(), openai.EmbeddingNewParams{
		Model: "text-embedding-3-small",
		Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: []string{"moon", "sea"}},
	})
	must(t, err)
	equal(t, len(answer.Data), 2)
	square := 0.0
	for _, x := range answer.Data[1].Embedding {
		square += x * x
	}
	if math.Abs(square-1) > 1e-4 {
		t.Fatal(square)
	}
}

func TestModels(t *testing.T) {
	g := connect(t, setting(t, "KEY"))
	page, err := g.Models.List(context.Background())
	must(t, err)
	equal(t, len(page.Data), 7)
	one, err := g.Models.Get(context.Background(), model)
	must(t, err)
	equal(t, one.ID, model)
}

func TestErrors(t *testing.T) {
	key := setting(t, "KEY")
	chat := func(change func(*openai.ChatCompletionNewParams)) openai.ChatCompletionNewParams {
		params := ask()
		change(&params)
		return params
	}
	unknown := chat(func(p *openai.ChatCompletionNewParams) { p.Model = "none" })
	wrong := chat(func(p *openai.ChatCompletionNewParams) { p.N = openai.Int(0) })
	for _, c := range []struct {
		name, key string
		params    openai.ChatCompletionNewParams
		status    int
		code      string
	}{
		{"wrong key", "mg-" + strings.Repeat("0", 43), ask(), 401, "invalid_api_key"},
		{"empty wallet", setting(t, "KEY_EMPTY"), ask(), 402, "insufficient_quota"},
		{"model not allowed", setting(t, "KEY_NARROW"), ask(), 403, "model_not_allowed"},
		{"unknown model", key, unknown, 404, "model_not_found"},
		{"bad request", key, wrong, 400, "invalid_value"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := connect(t, c.key, option.WithMaxRetries(2))
			asked := upstreamRequests(t)
			_, err := g.Chat.Completions.New(context.Background(), c.params)
			failure := apiError(t, err)
			equal(t, failure.StatusCode, c.status)
			equal(t, failure.Code, c.code)
			equal(t, g.statuses, []int{c.status})
			equal(t, upstreamRequests(t), asked)
		})
	}
}

func TestRateLimitIsWaitedFor(t *testing.T) {
	g := connect(t, setting(t, "KEY_BRISK"))
	params := ask()
	params.MaxTokens = openai.Int(1)
	var err error
	for i := 0; i < 100 && err == nil; i++ {
		_, err = g.Chat.Completions.New(context.Background(), params)
	}
	failure := apiError(t, err)
	equal(t, failure.StatusCode, 429)
	equal(t, failure.Response.Header.Get("retry-after"), "1")
	patient := connect(t, setting(t, "KEY_BRISK"), option.WithMaxRetries(2))
	// A token may have come back meanwhile: until one of these is refused, too.
	for len(patient.statuses) < 2 || patient.statuses[len(patient.statuses)-2] != 429 {
		began := time.Now()
		asked := len(patient.statuses)
		_, err = patient.Chat.Completions.New(context.Background(), params)
		must(t, err)
		if len(patient.statuses) > asked+1 && time.Since(began) < 950*time.Millisecond {
			t.Fatal("the SDK came back too early")
		}
	}
}

func TestTimeout(t *testing.T) {
	g := connect(t, setting(t, "KEY"), option.WithRequestTimeout(250*time.Millisecond))
	before := readWallet(t).Balance
	params := ask()
	params.Metadata = shared.Metadata{"x-lab-delay-ms": "5000"}
	_, err := g.Chat.Completions.New(context.Background(), params)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	waitUntilNothingIsHeld(t)
	equal(t, readWallet(t).Balance, before)
}

func TestBrokenStream(t *testing.T) {
	g := connect(t, setting(t, "KEY"))
	params := ask()
	params.Metadata = shared.Metadata{"x-lab-fault": "reset-in-body", "x-lab-fault-at": "6"}
	stream := g.Chat.Completions.NewStreaming(context.Background(), params)
	for stream.Next() {
	}
	if err := stream.Err(); err == nil || !strings.Contains(err.Error(), "upstream_error") {
		t.Fatal(err)
	}
	waitUntilNothingIsHeld(t)
}

func TestFiftyAtOnce(t *testing.T) {
	key := setting(t, "KEY")
	var all sync.WaitGroup
	failures := make(chan error, 50)
	for i := range 50 {
		all.Go(func() {
			params := ask()
			params.Messages[0] = openai.UserMessage(fmt.Sprintf("What is %d plus %d?", i, i))
			_, err := connect(t, key).Chat.Completions.New(context.Background(), params)
			failures <- err
		})
	}
	all.Wait()
	for range 50 {
		must(t, <-failures)
	}
}

func TestIdempotencyKey(t *testing.T) {
	g := connect(t, setting(t, "KEY"), option.WithHeader("Idempotency-Key", fmt.Sprint(time.Now().UnixNano())))
	asked := upstreamRequests(t)
	first, err := g.Chat.Completions.New(context.Background(), ask())
	must(t, err)
	request := g.request
	again, err := g.Chat.Completions.New(context.Background(), ask())
	must(t, err)
	equal(t, again.RawJSON(), first.RawJSON())
	equal(t, g.request, request)
	equal(t, upstreamRequests(t), asked+1)
}
