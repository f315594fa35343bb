---@meta
error("never loaded")

-- Types of everything a policy may use, for editors (LuaLS). Each function names the phases in
-- which it may be called; elsewhere it raises an error.
--
-- A policy is a file in scripts/policies that returns a gate.Policy. Its hooks are pure functions:
-- they never wait, and nothing outlives a call. Everything a file makes while it is loaded is
-- read-only afterwards, globals always are, and a hook that assigns to a local variable of its file
-- is refused when the file is checked.
--
-- Not there: io os debug ffi jit package require load loadstring dofile coroutine xpcall print
-- getfenv setfenv newproxy collectgarbage, string.dump, math.random (use gate.random).

---What a file in scripts/policies returns. A hook that returns nil means: go on.
---@class gate.Policy
---@field name? string as the file is called
---@field conf? table<string, gate.ConfField> which settings there are; without it any are taken
---@field admit? fun(conf: table, req: gate.Request): gate.Refusal?
---@field route? fun(conf: table, req: gate.Request, candidates: gate.Candidate[]): gate.Candidate[]?
---@field quote? fun(conf: table, req: gate.Request, lines: gate.Line[]): gate.Line[]?
---@field recover? fun(conf: table, req: gate.Request, attempt: gate.Attempt, failure: gate.Failure): ("retry"|"next"|"stop")?, integer?
---@field disconnect? fun(conf: table, req: gate.Request, progress: gate.Progress): ("cut"|{ drain_cost_max: string })?
---@field observe? fun(conf: table, req: gate.Request, record: gate.Record): { tags: string[] }?
---@field selftest? fun(t: gate.Test) runs when the file is checked, before it can become live

---A setting: a type, then what it must be like. Without default it is required, unless optional.
---@class gate.ConfField
---@field [1] "integer"|"number"|"string"|"boolean"|"money"|"network"|"list"|"map"|"any"
---@field default? any
---@field optional? boolean
---@field min? number
---@field max? number
---@field one_of? string[]
---@field of? gate.ConfField of each item of a list or map

---What scripts/policies/chain.lua returns: for each phase the modules, in order; and settings of
---the core.
---@class gate.Chain
---@field breaker? gate.Breaker
---@field admit? gate.ChainEntry[]
---@field route? gate.ChainEntry[]
---@field quote? gate.ChainEntry[]
---@field recover? gate.ChainEntry[]
---@field disconnect? gate.ChainEntry[]
---@field observe? gate.ChainEntry[]

---@class gate.Breaker
---@field failures? integer in a row, before a channel gets nothing for a while; default 5
---@field open_s? integer seconds without requests; default 30
---@field trials? integer requests at a time that may try afterwards; default 1

---@class gate.ChainEntry
---@field [1] string the module's name
---@field conf? table

---The request. Read-only; its fields are made when they are read, so pairs() does not list them, and
---a name that is no field is an error. Usable only during the call that it was given to.
---@class gate.Request
---@field id string
---@field time integer seconds since 1970, when the request came
---@field ip string the client's address, behind trusted proxies
---@field method string
---@field path string
---@field protocol string "openai_chat", ...
---@field operation string "chat", ...; "models" where admit is asked whether to list a model
---@field model string its id in the catalogue, whichever of its names the client used. In observe,
--- where no such model is offered: as the client named it; where the body was not read: nil
---@field aliases string[] the model's other names
---@field requested_model string as the client named it: the id, or an alias; nil as model is
---@field session string? what groups the requests of one conversation
---@field stream boolean
---@field bytes integer of the body
---@field input_tokens_estimate integer
---@field max_output_tokens integer? nil: the request names no maximum
---@field key gate.Key
---@field tenant gate.Tenant
---@field has gate.Has
---@field constraints gate.Constraints

---The api key, with the settings of `moongate key create`.
---@class gate.Key
---@field id string
---@field name string?
---@field group string? its token group
---@field tags string[]
---@field models string[] the models it may call, '*' for any characters; empty: all
---@field allow_ip string[] where it may be used; empty: everywhere
---@field rpm integer? requests per minute
---@field tpm integer? tokens per minute
---@field daily_limit string? USD, exact: "5.000000000"

---Who pays.
---@class gate.Tenant
---@field id string
---@field kind string "company" or "employee"
---@field name string?
---@field path string[] ids from the platform down to this tenant

---What the request uses.
---@class gate.Has
---@field tools boolean
---@field images boolean
---@field audio boolean
---@field json_schema boolean
---@field reasoning boolean

---What the client asks of routing.
---@class gate.Constraints
---@field given boolean anything at all
---@field only string[] providers or channels; empty: all
---@field ignore string[]
---@field order string[] these first
---@field input_rate_max (integer|string)? as a rate of gate.Line
---@field output_rate_max (integer|string)?
---@field allow_fallbacks boolean

---A channel that could serve the request. A policy may write upstream_model and timeouts, and
---return the candidates narrowed and in another order; they are matched by channel.
---@class gate.Candidate
---@field channel string
---@field provider string?
---@field protocol string?
---@field region string?
---@field priority integer 1 is asked first
---@field weight integer share inside a priority
---@field upstream_model string
---@field timeouts { connect_ms?: integer, first_byte_ms?: integer, idle_ms?: integer, total_ms?: integer }? nil when read
---@field breaker "closed"|"half_open"|"open"
---@field latency_ms integer? to the whole answer, smoothed; nil: unknown
---@field first_token_ms integer? to the head of the answer, smoothed; nil: unknown
---@field error_rate number 0 to 1
---@field in_flight integer
---@field concurrency_max integer?
---@field price table<string, integer|string> by meter, as a rate of gate.Line
---@field cost_estimate integer nano-USD that this request may cost us here; for ordering only

---A meter of a model. A policy may replace rate, and append to multipliers_ppm; the core does the
---multiplying.
---@class gate.Line
---@field model string
---@field meter string "input", "output", "cached_input", ...
---@field above_input_tokens integer the tier: holds for longer inputs; 0: the base price
---@field rate integer|string pico-USD per unit, which is micro-USD per million; or USD as "2.50/M"
---@field multipliers_ppm integer[] at most 3, parts per million: 900000 is 10 % off

---An attempt that failed.
---@class gate.Attempt
---@field number integer 1 for the request's first
---@field tries_on_channel integer this one included
---@field retries integer second tries on some channel, so far in this request
---@field candidates_left integer not yet tried
---@field channel string
---@field provider string?
---@field upstream_model string
---@field elapsed_ms integer since the request came

---@class gate.Failure
---@field kind "connect"|"timeout"|"reset"|"server_error"|"garbage"|"rate_limited"|"denied"|"not_found"|"busy"
---@field status integer? of the answer, if there was one
---@field retry_after_ms integer? what the upstream asked for; after a 429 always there, and so long
--- nothing is sent to the channel: a retry there is worth it only after as long a delay

---How far an answer had come when its client left.
---@class gate.Progress
---@field output_tokens integer
---@field relayed_bytes integer
---@field elapsed_ms integer
---@field cost string USD so far, exact

---The end of a request.
---@class gate.Record
---@field status integer
---@field code string? of a refusal or failure; nil: it was served
---@field channel string?
---@field provider string?
---@field upstream_model string?
---@field usage table<string, integer> units by meter
---@field usage_source string?
---@field tokens integer all meters of tokens together
---@field token_takes { key: string, tokens: number }[] what admit took from limits by tokens
---@field cost string USD, exact
---@field latency_ms integer from the request's head to the answer's end
---@field first_token_ms integer? from the request's head to the first byte to the client
---@field attempts integer
---@field client_left boolean

---A no, to be returned from admit.
---@class gate.Refusal
---@field status integer
---@field code string
---@field message string
---@field retry_after_s integer?

---@class gate
gate = {}

---Makes a refusal for admit to return. Only these: 400 invalid_value, unsupported_parameter,
---context_length_exceeded; 403 ip_not_allowed, model_not_allowed, tenant_suspended, key_expired;
---413 request_too_large; 429 rate_limit_exceeded, budget_exceeded; 503 no_channel_available,
---overloaded. Phases: admit.
---@param status integer
---@param code string
---@param message string for the client
---@param retry_after_s? number with 429 the longest wait of the limits that had no room, unless given
---@return gate.Refusal
function gate.refuse(status, code, message, retry_after_s) end

---A number from 1 to n that depends on the text alone: the same in every request. Phases: all.
---@param text string
---@param n integer
---@return integer
function gate.hash(text, n) end

---A number in [0, 1), or with n a whole one from 1 to n. Seeded by the request, so that a replay
---draws the same. Phases: all.
---@param n? integer
---@return number
function gate.random(n) end

---Writes a line into the log: at most 512 bytes, and 20 lines a second. Phases: all.
---@param level "debug"|"info"|"warning"|"error"
---@param text string
function gate.log(level, text) end

---@class gate.limit
gate.limit = {}

---Takes `cost` (default 1) from a bucket shared by all workers: it holds at most `burst`, and fills
---at `rate` a second. A unit makes it count for the x-ratelimit headers. What a request took that is
---refused after all is given back. Phases: admit. Never blocks.
---@param key string
---@param terms { rate: number, burst: number, cost?: number, unit?: "requests"|"tokens" }
---@return boolean ok
---@return number retry_after_s
function gate.limit.take(key, terms) end

---Puts tokens back; a negative amount takes more after the fact. Phases: admit, observe.
---@param key string
---@param amount number
function gate.limit.give(key, amount) end

---How a bucket stands; nil when it is full and unknown. Phases: admit, route, observe.
---@param key string
---@return { limit: number, remaining: number, reset_s: number }?
function gate.limit.peek(key) end

---@class gate.wallet
gate.wallet = {}

---What the tenant has left, exact USD as text; nil when it is not known. Phases: admit.
---@return string?
function gate.wallet.available() end

---Whether it has at least this much left. Phases: admit.
---@param amount string
---@return boolean
function gate.wallet.covers(amount) end

---@class gate.budget
gate.budget = {}

---Names a budget that the ledger holds and checks together with the wallet. Phases: admit.
---@param name string visible ASCII; the same name is the same budget everywhere
---@param limit string USD
---@param period "day"|"week"|"month"|"total"
function gate.budget.require(name, limit, period) end

---@class gate.ip
gate.ip = {}

---Whether the address is one of these, or in one of these networks. Phases: all.
---@param ip string
---@param list string[]
---@return boolean
function gate.ip.matches(ip, list) end

---@class gate.text
gate.text = {}

---Whether the text is one of these, in which '*' stands for any characters. Phases: all.
---@param text string
---@param patterns string[]
---@return boolean
function gate.text.matches(text, patterns) end

---JSON that keeps what Lua would lose: an empty array stays one, null is apart from an absent field,
---and an integer past 2^53 keeps its digits (tostring gives them).
---@class gate.json
---@field null userdata stands for JSON's null
gate.json = {}

---The value that the text is; raises an error where it is no JSON. Phases: all, and while loading.
---@param text string
---@return any
function gate.json.decode(text) end

---The text of a value; keys are sorted. Phases: all, and while loading.
---@param value any
---@return string
function gate.json.encode(value) end

---Marks a table as an array, which matters where it is empty. Phases: all, and while loading.
---@param table table
---@return table
function gate.json.array(table) end

---What a selftest gets. The tables it makes have every field of what they stand for, those given
---and defaults for the rest; an unknown field is an error.
---@class gate.Test
---@field request fun(fields?: table): gate.Request
---@field candidate fun(fields?: table): gate.Candidate
---@field line fun(fields?: table): gate.Line
---@field attempt fun(fields?: table): gate.Attempt
---@field failure fun(fields?: table): gate.Failure
---@field progress fun(fields?: table): gate.Progress
---@field record fun(fields?: table): gate.Record
---@field admit fun(conf: table, req: gate.Request): gate.Refusal? calls the module's hook, conf checked
---@field route fun(conf: table, req: gate.Request, candidates: gate.Candidate[]): gate.Candidate[]?
---@field quote fun(conf: table, req: gate.Request, lines: gate.Line[]): gate.Line[]?
---@field recover fun(conf: table, req: gate.Request, attempt: gate.Attempt, failure: gate.Failure): string?, integer?
---@field disconnect fun(conf: table, req: gate.Request, progress: gate.Progress): any
---@field observe fun(conf: table, req: gate.Request, record: gate.Record): table?
---@field advance fun(seconds: number) moves the clock of limits
---@field wallet fun(amount: string) what gate.wallet finds from now on
---@field budgets fun(): table what gate.budget gathered in the last call: { { name, limit, period } }
---@field equal fun(actual: any, expected: any, what?: string) compares, tables by their content
---@field refused fun(status: integer, code: string, answer: any)
---@field fails fun(f: fun()) the call must raise an error
