package statement_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/portico-dev/portico/internal/gateway/engine"
	"github.com/portico-dev/portico/internal/gateway/gatewaytest"
	"github.com/portico-dev/portico/internal/gateway/statement"
	"github.com/portico-dev/portico/internal/policy"
	"github.com/portico-dev/portico/internal/snapshot"
)

var update = flag.Bool("update", false, "rewrite the expected parts of testdata")

// TestStatements runs testdata/*.txtar. A file holds cases one after the other; a case begins with a policy:
//
//	policy.xml [api|operation|product|global]   the document and its scope (api)
//	fragment NAME                               a policy fragment for the document before
//	responses                                   JSON: what GET /orders/{id}?page={page} describes
//	setup                                       words: "key" sends a product subscription's key, "gone" means no backend
//	request                                     request line, headers, blank line, body
//	backend answers                             status, headers, blank line, body (200 ok)
//	backend saw                                 expected; absent: the backend must see nothing
//	response                                    expected
//	refused                                     expected when the policy does not compile
//
// request, backend saw and response may repeat within a case.
func TestStatements(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			out := &txtar.Archive{Comment: a.Comment}
			for _, c := range cases(a.Files) {
				out.Files = append(out.Files, run(t, file, c)...)
			}
			if *update {
				if err := os.WriteFile(file, txtar.Format(out), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// TestNames compares what there is with what the catalogue promises.
func TestNames(t *testing.T) {
	t.Parallel()
	var built []string
	for _, row := range policy.Catalogue() {
		if row.Built {
			built = append(built, row.Name)
		}
	}
	slices.Sort(built)
	if diff := cmp.Diff(built, statement.Names()); diff != "" {
		t.Errorf("statements (-catalogue +gateway):\n%s", diff)
	}
}

// cases cuts the files of an archive before each policy.
func cases(files []txtar.File) [][]txtar.File {
	var out [][]txtar.File
	for _, f := range files {
		if strings.HasPrefix(f.Name, "policy.xml") || len(out) == 0 {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], f)
	}
	return out
}

// scene is one running case.
type scene struct {
	t       *testing.T
	name    string
	refused string
	addr    string
	rec     *gatewaytest.Recorder
	setup   string
	seen    int
}

// run plays a case and gives its files with the results in the place of what was expected.
func run(t *testing.T, file string, files []txtar.File) []txtar.File {
	t.Helper()
	s := start(t, files)
	s.name = fmt.Sprintf("%s: %s", file, strings.TrimSpace(string(files[0].Data)))
	out := []txtar.File{}
	response, saw := "", ""
	expectSaw := map[int]bool{}
	for i, f := range files { // the "backend saw" that belongs to a request stands before the next one
		if f.Name == "request" {
			for j := i + 1; j < len(files) && files[j].Name != "request"; j++ {
				expectSaw[i] = expectSaw[i] || files[j].Name == "backend saw"
			}
		}
	}
	for i, f := range files {
		got := string(f.Data)
		switch f.Name {
		case "request":
			response, saw = s.send(f.Data)
			if saw != "" && !expectSaw[i] {
				if !*update {
					t.Errorf("%s\nbackend saw unexpectedly:\n%s", s.name, saw)
				}
				out = append(out, f, txtar.File{Name: "backend saw", Data: []byte(saw)})
				continue
			}
		case "backend saw":
			got = saw
		case "response":
			got = response
		case "refused":
			got = s.refused + "\n"
		}
		if diff := cmp.Diff(string(f.Data), got); diff != "" && !*update {
			t.Errorf("%s\n%s (-want +got):\n%s", s.name, f.Name, diff)
		}
		if f.Name == "backend saw" && got == "" {
			continue
		}
		out = append(out, txtar.File{Name: f.Name, Data: []byte(got)})
	}
	return out
}

func start(t *testing.T, files []txtar.File) *scene {
	t.Helper()
	s := &scene{t: t, rec: gatewaytest.Record(t)}
	snap := gatewaytest.Shop(s.rec.URL + "/base")
	snap.APIs[0].Operations[0].URLTemplate = "/orders/{id}?page={page}"
	snap.APIs[0].Operations = append(snap.APIs[0].Operations, snapshot.Operation{
		Name: "plain", DisplayName: "Plain", Method: "GET", URLTemplate: "/orders/{id}",
	})
	snap.Products = []snapshot.Product{{ID: gatewaytest.ServiceID + "/products/gold", Name: "gold", Published: true, SubscriptionRequired: true, APIs: []string{snap.APIs[0].ID}}}
	snap.Subscriptions = []snapshot.Subscription{{ID: gatewaytest.ServiceID + "/subscriptions/s", Name: "s", Scope: gatewaytest.ServiceID + "/products/gold", State: "active", PrimaryKey: "k1", OwnerID: gatewaytest.ServiceID + "/users/ada"}}
	staff := snapshot.Group{ID: gatewaytest.ServiceID + "/groups/staff", Name: "staff", DisplayName: "Our staff"}
	snap.Products[0].Groups = []snapshot.Group{staff}
	snap.Users = []snapshot.User{{
		ID: gatewaytest.ServiceID + "/users/ada", Name: "ada", Email: "ada@b.c", FirstName: "Ada", LastName: "L", Note: "n", State: "active",
		Registered: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Groups: []snapshot.Group{staff},
		Identities: []snapshot.Identity{{Provider: "Basic", ID: "ada@b.c"}},
	}}
	snap.Certificates = []snapshot.Certificate{gatewaytest.Certificate(t, "client")}
	snap.Backends = []snapshot.Backend{{
		ID: gatewaytest.ServiceID + "/backends/books", Name: "books", URL: s.rec.URL + "/books", Protocol: "http",
		Header: map[string][]string{"X-Credential": {"c1", "c2"}}, Query: map[string][]string{"code": {"q"}},
		AuthScheme: "Basic", AuthParameter: "dXNlcg==",
	}}
	var last *snapshot.Policy
	for _, f := range files {
		name, scope, _ := strings.Cut(f.Name, " ")
		switch name {
		case "policy.xml":
			last = setPolicy(&snap, scope, strings.ReplaceAll(string(f.Data), "BACKEND", s.rec.URL))
		case "fragment":
			last.Fragments = append(last.Fragments, snapshot.Fragment{ID: "/policyFragments/" + scope, Name: scope, XML: string(f.Data)})
		case "responses":
			if err := json.Unmarshal(f.Data, &snap.APIs[0].Operations[0].Responses); err != nil {
				t.Fatal(err)
			}
		case "setup":
			s.setup = string(f.Data)
		case "backend":
			if scope == "answers" {
				s.rec.Answer = answer(t, f.Data)
			}
		}
	}
	if strings.Contains(s.setup, "gone") {
		l := gatewaytest.Listen(t)
		snap.APIs[0].ServiceURL = "http://" + l.Addr().String()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	opt := engine.Options{Compiler: gatewaytest.Compiler(t)}
	srv := engine.New(opt)
	t.Cleanup(func() { _ = srv.Close() })
	refused, err := srv.Apply(snap.Bundle(t))
	for _, r := range refused {
		s.refused = r.Reason
	}
	if err != nil {
		return s
	}
	l := gatewaytest.Listen(t)
	s.addr = l.Addr().String()
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	t.Cleanup(func() { _ = srv.Close(); <-done })
	return s
}

func setPolicy(snap *gatewaytest.Snapshot, scope, xml string) *snapshot.Policy {
	p := &snapshot.Policy{ID: "/policies/" + scope, XML: xml}
	switch scope {
	case "global":
		snap.Service.Policy = p
	case "product":
		snap.Products[0].Policy = p
	case "operation":
		snap.APIs[0].Operations[0].Policy = p
	default:
		snap.APIs[0].Policy = p
	}
	return p
}

// answer plays a backend's answer as written.
func answer(t *testing.T, data []byte) http.HandlerFunc {
	t.Helper()
	head, body, _ := bytes.Cut(data, []byte("\n\n"))
	lines := strings.Split(strings.TrimSpace(string(head)), "\n")
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Date"] = nil
		w.Header()["Content-Type"] = nil
		status := 0
		if _, err := fmt.Sscan(lines[0], &status); err != nil {
			t.Error(err)
		}
		for _, l := range lines[1:] {
			n, v, _ := strings.Cut(l, ": ")
			if w.Header().Get(n) != "" {
				w.Header().Add(n, v)
				continue
			}
			w.Header()[n] = []string{v}
		}
		w.WriteHeader(status)
		_, _ = w.Write(bytes.TrimSuffix(body, []byte("\n")))
	}
}

var guid = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// send writes a request byte by byte as it stands, apart from Host and Content-Length.
func (s *scene) send(data []byte) (response, saw string) {
	s.t.Helper()
	if s.addr == "" {
		return "", ""
	}
	head, body, _ := strings.Cut(string(data), "\n\n")
	body = strings.TrimSuffix(body, "\n")
	line, rest, _ := strings.Cut(strings.TrimSpace(head), "\n")
	head = line + " HTTP/1.1\nHost: shop.apim.localhost\n"
	if rest != "" {
		head += rest + "\n"
	}
	if strings.Contains(s.setup, "key") {
		head += "Ocp-Apim-Subscription-Key: k1\n"
	}
	if body != "" {
		head += fmt.Sprintf("Content-Length: %d\n", len(body))
	}
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, strings.ReplaceAll(head, "\n", "\r\n")+"\r\n"+body); err != nil {
		s.t.Fatal(err)
	}
	method, _, _ := strings.Cut(line, " ")
	res, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		s.t.Fatalf("%s: %v", s.name, err)
	}
	defer res.Body.Close()
	content, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d\n", res.StatusCode)
	res.Header.Del("Date")
	res.Header.Del("Content-Length")
	gatewaytest.WriteHeader(&b, res.Header)
	if len(content) > 0 {
		fmt.Fprintf(&b, "\n%s\n", content)
	}
	all := s.rec.Seen()
	saw = strings.Join(all[s.seen:], "\n")
	s.seen = len(all)
	return s.plain(guid.ReplaceAllString(b.String(), "<guid>")), s.plain(saw)
}

var wait = regexp.MustCompile(`(?m)^(Retry-After: |X-Retry: )\d+$|(Try again in |replenished in )[\d:]+\d|(Expires: ).* GMT$|(max-age=)\d+`)

// plain hides what differs between runs.
func (s *scene) plain(text string) string {
	text = wait.ReplaceAllString(text, "$1$2$3${4}N")
	return strings.ReplaceAll(text, s.rec.Listener.Addr().String(), "backend")
}
