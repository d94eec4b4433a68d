// Package bookshop is a small backend with an OpenAPI document of its own, for the demo, the tests and a first try: a
// shop that sells books from memory. It is an ordinary HTTP server and knows nothing of gateways.
package bookshop

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

// OpenAPI is the shop's document, OpenAPI 3.0 in YAML. Its one server is {{server}}.
//
//go:embed openapi.yaml
var openAPI string

// OpenAPI returns the shop's OpenAPI 3.0 document in YAML, with its server set.
func OpenAPI(server string) string { return strings.ReplaceAll(openAPI, "{{server}}", server) }

// ReportTime is how long the sales report takes: longer than any switch of machines.
const ReportTime = 1100 * time.Millisecond

const maxBody = 1 << 20 // bytes of a request body

type book struct {
	ID     int    `json:"id"`
	Title  string `json:"title"`
	Author int    `json:"author"`
	Price  int    `json:"price"` // cents
}

type author struct {
	ID   int    `json:"id"`
	Name string `json:"name"`
}

type review struct {
	Stars int    `json:"stars"`
	Text  string `json:"text"`
}

type order struct {
	ID        int  `json:"id"`
	Book      int  `json:"book"`
	Copies    int  `json:"copies"`
	Cancelled bool `json:"cancelled"`
}

const maxKept = 1000 // of each thing that clients can add

// A Shop serves the API of openapi.yaml. Use New.
type Shop struct {
	mux *http.ServeMux

	mu      sync.Mutex // guards below
	books   map[int]book
	authors map[int]author
	reviews map[int][]review
	orders  map[int]order
	nextID  int
}

// New returns a shop with three authors and five books.
func New() *Shop {
	s := &Shop{
		mux:     http.NewServeMux(),
		authors: map[int]author{1: {1, "Ida Sand"}, 2: {2, "Noor Vos"}, 3: {3, "Tomas Brandt"}},
		books: map[int]book{
			1: {1, "The Tidal Clock", 1, 1290},
			2: {2, "Letters to a Lighthouse", 1, 1490},
			3: {3, "A Field Guide to Rain", 2, 2190},
			4: {4, "Bridges, Mostly", 3, 1890},
			5: {5, "The Second Harbour", 3, 990},
		},
		reviews: map[int][]review{1: {{5, "Kept me up."}}},
		orders:  map[int]order{1: {ID: 1, Book: 1, Copies: 1}},
		nextID:  100,
	}
	for pattern, h := range map[string]http.HandlerFunc{
		"GET /books":               s.listBooks,
		"POST /books":              s.addBook,
		"GET /books/{id}":          s.getBook,
		"PUT /books/{id}":          s.putBook,
		"DELETE /books/{id}":       s.deleteBook,
		"GET /books/{id}/reviews":  s.listReviews,
		"POST /books/{id}/reviews": s.addReview,
		"POST /books/{id}/cover":   s.addCover,
		"GET /authors":             s.listAuthors,
		"GET /authors/{id}":        s.getAuthor,
		"GET /authors/{id}/books":  s.booksOf,
		"GET /search":              s.search,
		"POST /orders":             s.addOrder,
		"GET /orders/{id}":         s.getOrder,
		"POST /orders/{id}/cancel": s.cancelOrder,
		"GET /reports/sales":       s.report,
	} {
		s.mux.HandleFunc(pattern, h)
	}
	return s
}

func (s *Shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	s.mux.ServeHTTP(w, r)
}

func (s *Shop) listBooks(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	answer(w, http.StatusOK, sorted(s.books, func(b book) int { return b.ID }))
}

func (s *Shop) addBook(w http.ResponseWriter, r *http.Request) {
	var b book
	if !read(w, r, &b) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.books) >= maxKept {
		problem(w, http.StatusInsufficientStorage, "the shelves are full")
		return
	}
	s.nextID++
	b.ID = s.nextID
	s.books[b.ID] = b
	answer(w, http.StatusCreated, b)
}

func (s *Shop) getBook(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one(w, r, s.books, "book")
}

func (s *Shop) putBook(w http.ResponseWriter, r *http.Request) {
	id, _ := strconv.Atoi(r.PathValue("id"))
	var b book
	if !read(w, r, &b) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.books[id]; !ok {
		problem(w, http.StatusNotFound, "no such book")
		return
	}
	b.ID = id
	s.books[id] = b
	answer(w, http.StatusOK, b)
}

func (s *Shop) deleteBook(w http.ResponseWriter, r *http.Request) {
	id, _ := strconv.Atoi(r.PathValue("id"))
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.books, id)
	w.WriteHeader(http.StatusNoContent)
}

func (s *Shop) listReviews(w http.ResponseWriter, r *http.Request) {
	id, _ := strconv.Atoi(r.PathValue("id"))
	s.mu.Lock()
	defer s.mu.Unlock()
	answer(w, http.StatusOK, append([]review{}, s.reviews[id]...))
}

func (s *Shop) addReview(w http.ResponseWriter, r *http.Request) {
	id, _ := strconv.Atoi(r.PathValue("id"))
	var v review
	if !read(w, r, &v) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.reviews[id]) < maxKept {
		s.reviews[id] = append(s.reviews[id], v)
	}
	answer(w, http.StatusCreated, v)
}

// addCover takes a picture and answers with its size and digest, so that a caller sees whether all of it arrived.
func (s *Shop) addCover(w http.ResponseWriter, r *http.Request) {
	h := sha256.New()
	n, err := io.Copy(h, r.Body)
	if err != nil {
		problem(w, http.StatusBadRequest, "the picture did not arrive whole")
		return
	}
	answer(w, http.StatusOK, map[string]any{"bytes": n, "sha256": hex.EncodeToString(h.Sum(nil))})
}

func (s *Shop) listAuthors(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	answer(w, http.StatusOK, sorted(s.authors, func(a author) int { return a.ID }))
}

func (s *Shop) getAuthor(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one(w, r, s.authors, "author")
}

func (s *Shop) booksOf(w http.ResponseWriter, r *http.Request) {
	id, _ := strconv.Atoi(r.PathValue("id"))
	s.answerBooks(w, func(b book) bool { return b.Author == id })
}

func (s *Shop) search(w http.ResponseWriter, r *http.Request) {
	q := strings.ToLower(r.URL.Query().Get("q"))
	s.answerBooks(w, func(b book) bool { return strings.Contains(strings.ToLower(b.Title), q) })
}

func (s *Shop) answerBooks(w http.ResponseWriter, keep func(book) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := []book{}
	for _, b := range sorted(s.books, func(b book) int { return b.ID }) {
		if keep(b) {
			found = append(found, b)
		}
	}
	answer(w, http.StatusOK, found)
}

func (s *Shop) addOrder(w http.ResponseWriter, r *http.Request) {
	var o order
	if !read(w, r, &o) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.orders) >= maxKept {
		problem(w, http.StatusInsufficientStorage, "the order book is full")
		return
	}
	s.nextID++
	o.ID = s.nextID
	s.orders[o.ID] = o
	answer(w, http.StatusCreated, o)
}

func (s *Shop) getOrder(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one(w, r, s.orders, "order")
}

func (s *Shop) cancelOrder(w http.ResponseWriter, r *http.Request) {
	id, _ := strconv.Atoi(r.PathValue("id"))
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.orders[id]
	if !ok {
		problem(w, http.StatusNotFound, "no such order")
		return
	}
	o.Cancelled = true
	s.orders[id] = o
	answer(w, http.StatusOK, o)
}

// report takes its time, as reports do.
func (s *Shop) report(w http.ResponseWriter, r *http.Request) {
	select {
	case <-r.Context().Done():
		return
	case <-time.After(ReportTime):
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	answer(w, http.StatusOK, map[string]int{"orders": len(s.orders)})
}

func one[T any](w http.ResponseWriter, r *http.Request, things map[int]T, name string) {
	id, _ := strconv.Atoi(r.PathValue("id"))
	thing, ok := things[id]
	if !ok {
		problem(w, http.StatusNotFound, "no such "+name)
		return
	}
	answer(w, http.StatusOK, thing)
}

func sorted[T any](things map[int]T, id func(T) int) []T {
	all := make([]T, 0, len(things))
	for _, t := range things {
		all = append(all, t)
	}
	sort.Slice(all, func(i, j int) bool { return id(all[i]) < id(all[j]) })
	return all
}

func read(w http.ResponseWriter, r *http.Request, into any) bool {
	if err := json.NewDecoder(r.Body).Decode(into); err != nil {
		problem(w, http.StatusBadRequest, "the body is not the JSON that was expected")
		return false
	}
	return true
}

func problem(w http.ResponseWriter, status int, text string) {
	answer(w, status, map[string]string{"problem": text})
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client is gone: nothing to tell anybody
}
