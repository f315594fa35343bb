// Package sdk drives the gateway with the official SDK for Go. Run it with tests/sdk/run.
package sdk

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

const model = "gpt-4o-mini"

func setting(t *testing.T, name string) string {
	t.Helper()
	value := os.Getenv("MOONGATE_SDK_" + name)
	if value == "" {
		t.Fatalf("MOONGATE_SDK_%s is not set: run it with tests/sdk/run", name)
	}
	return value
}

// gate is a client of the gateway, and what it was answered on the wire.
type gate struct {
	openai.Client
	t        *testing.T
	mutex    sync.Mutex
	statuses []int
	request  string // of the last answer
	cost     string
}

func connect(t *testing.T, key string, options ...option.RequestOption) *gate {
	t.Helper()
	g := &gate{t: t}
	all := []option.RequestOption{
		option.WithBaseURL(setting(t, "URL") + "/"),
		option.WithAPIKey(key),
		option.WithMaxRetries(0),
		option.WithMiddleware(g.watch),
	}
	g.Client = openai.NewClient(append(all, options...)...)
	return g
}

func (g *gate) watch(request *http.Request, next option.MiddlewareNext) (*http.Response, error) {
	response, err := next(request)
	if err != nil {
		return response, err
	}
	g.mutex.Lock()
	g.statuses = append(g.statuses, response.StatusCode)
	g.request = response.Header.Get("x-request-id")
	g.cost = response.Header.Get("x-moongate-cost")
	id, cost := g.request, g.cost
	g.mutex.Unlock()
	if request.Method == http.MethodPost && response.StatusCode == http.StatusOK {
		tell(g.t, id, cost)
	}
	return response, err
}

var telling sync.Mutex

// tell writes down what a caller was told of a cost; nothing: it was not told, or not yet.
func tell(t *testing.T, request, cost string) {
	entry := map[string]string{"request": request}
	if cost != "" {
		entry["cost"] = cost
	}
	line, err := json.Marshal(entry)
	must(t, err)
	telling.Lock()
	defer telling.Unlock()
	file, err := os.OpenFile(setting(t, "TOLD"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	must(t, err)
	defer file.Close()
	_, err = file.Write(append(line, '\n'))
	must(t, err)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

type wallet struct{ Balance, Held string }

func readWallet(t *testing.T) wallet {
	t.Helper()
	command := exec.Command(setting(t, "BINARY"), "--config", setting(t, "CONFIG"), "--json",
		"wallet", "show", "--tenant", setting(t, "TENANT"))
	out, err := command.Output()
	must(t, err)
	var w wallet
	must(t, json.Unmarshal(out, &w))
	return w
}

func waitUntilNothingIsHeld(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); readWallet(t).Held != "0.000000000"; {
		if time.Now().After(deadline) {
			t.Fatal("something is still held")
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func upstreamRequests(t *testing.T) int {
	t.Helper()
	response, err := http.Get(setting(t, "LAB") + "/lab/counts")
	must(t, err)
	defer response.Body.Close()
	var counts struct{ Requests int }
	must(t, json.NewDecoder(response.Body).Decode(&counts))
	return counts.Requests
}

func ask() openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{
		Model:    model,
		Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("How do tides come about?")},
	}
}
