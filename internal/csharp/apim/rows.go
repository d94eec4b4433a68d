package apim

import (
	"strings"
	"sync"
	"time"

	"github.com/portico-dev/portico/internal/csharp/clr"
	"github.com/portico-dev/portico/internal/csharp/lib"
)

type (
	v = clr.Value
	f = *clr.Frame
)

// types are the types of host objects.
type types struct {
	context, request, response, url, body, api, operation, product, subscription, user, group, lastError, deployment *clr.Type
}

var table struct {
	once sync.Once
	u    *clr.Universe
}

// Universe is the member table of package lib with the context object.
func Universe() *clr.Universe {
	table.once.Do(func() {
		t := &types{}
		u, err := clr.Build(lib.Universe(), typeOf(t), decls()...)
		if err != nil {
			panic(err) // a row of the table is wrong; tests build it
		}
		find := func(name string) *clr.Type { return u.Lookup("Gateway."+name, 0) }
		*t = types{
			find("IContext"), find("IRequest"), find("IResponse"), find("IUrl"), find("IMessageBody"), find("IContextApi"), find("IOperation"), find("IProduct"),
			find("ISubscription"), find("IUser"), find("IGroup"), find("ProxyError"), find("IDeployment"),
		}
		table.u = u
	})
	return table.u
}

// ContextType is the type of the identifier context.
func ContextType() *clr.Type { return Universe().Lookup("Gateway.IContext", 0) }

// str, flag and ref make rows that read one property of a host object. The few
// that most expressions read have functions of their own instead: to find a T in
// an interface takes generic code several times as long.

func str[T any](get func(T) string) clr.Getter {
	return func(_ f, x v) v { return clr.String(get(x.Ref().(T))) }
}

func flag[T any](get func(T) bool) clr.Getter {
	return func(_ f, x v) v { return clr.Bool(get(x.Ref().(T))) }
}

func ref[T any, R comparable](get func(T) R) clr.Getter {
	var null R
	return func(_ f, x v) v {
		r := get(x.Ref().(T))
		if r == null {
			return clr.Null
		}
		return clr.Object(r)
	}
}

func moment[T any](get func(T) (time.Time, bool)) clr.Getter {
	return func(_ f, x v) v {
		t, ok := get(x.Ref().(T))
		if !ok {
			return clr.Null
		}
		return lib.DateTime(t)
	}
}

func groups(list []Group) v {
	out := make([]v, len(list))
	for i, g := range list {
		out[i] = clr.Object(g)
	}
	return clr.Object(clr.ArrOf(Universe().Lookup("Gateway.IGroup", 0), out))
}

func decls() []clr.Decl {
	D, R := clr.D, clr.R
	listed := func(sig string, rows ...clr.Row) clr.Decl {
		return clr.Decl{Sig: "interface Gateway." + sig, Rows: rows}
	}
	const dict = "IReadOnlyDictionary"
	return []clr.Decl{
		listed("IContext",
			R("IContextApi Api", ref(Context.API)), R("IDeployment Deployment", ref(Context.Deployment)), R("TimeSpan Elapsed", func(_ f, a []v) v { return lib.TimeSpan(a[0].Ref().(Context).Elapsed()) }),
			R("ProxyError LastError", ref(Context.LastError)), R("IOperation Operation", ref(Context.Operation)), R("IProduct Product", ref(Context.Product)),
			R("IRequest Request", func(_ f, x v) v { return clr.Object(x.Ref().(Context).Request()) }), R("Guid RequestId", func(_ f, a []v) v { return lib.NewGuid(a[0].Ref().(Context).RequestID()) }),
			R("IResponse Response", func(_ f, x v) v { return clr.Object(x.Ref().(Context).Response()) }), R("ISubscription Subscription", ref(Context.Subscription)),
			R("DateTime Timestamp", func(_ f, a []v) v { return lib.DateTime(a[0].Ref().(Context).Timestamp()) }), R("bool Tracing", flag(Context.Tracing)),
			R("IUser User", ref(Context.User)), R("IReadOnlyDictionary<string,object> Variables", variables),
			R("void Trace(string message)", func(_ f, a []v) v { a[0].Ref().(Context).Trace("", a[1].Str()); return clr.Null }),
			R("void Trace(string source, object data)", func(fr f, a []v) v { a[0].Ref().(Context).Trace(a[1].Str(), lib.Text(fr, a[2])); return clr.Null }),
			R("IGraphQL GraphQL", func(_ f, a []v) v {
				if g, ok := a[0].Ref().(GraphQL); ok {
					return clr.Object(&graphQL{g})
				}
				return clr.Null
			}),
		),
		listed("IGraphQL", R("JToken Arguments", func(fr f, a []v) v { return a[0].Ref().(*graphQL).token(fr, "Arguments") }), R("JToken Parent", func(fr f, a []v) v { return a[0].Ref().(*graphQL).token(fr, "Parent") }),
			R("JToken this[string name]", func(fr f, a []v) v { return a[0].Ref().(*graphQL).token(fr, a[1].Str()) })),
		listed("IRequest",
			R("IMessageBody Body", ref(Request.Body)), R("X509Certificate2 Certificate", ref(Request.Certificate)), R(dict+"<string,string[]> Headers", func(_ f, x v) v { return headers(x.Ref().(Request).Headers()) }),
			R("string IpAddress", str(Request.IPAddress)), R(dict+"<string,string> MatchedParameters", func(_ f, a []v) v { return clr.Object(&stringsMap{a[0].Ref().(Request).MatchedParameters()}) }),
			R("string Method", func(_ f, x v) v { return clr.String(x.Ref().(Request).Method()) }), R("IUrl OriginalUrl", ref(Request.OriginalURL)), R("IUrl Url", ref(Request.URL)),
			R("bool HasBody", flag(func(r Request) bool { return r.Body() != nil })),
			R("IPrivateEndpointConnection PrivateEndpointConnection", func(_ f, a []v) v {
				p, ok := a[0].Ref().(PrivateEndpoint)
				if !ok {
					return clr.Null
				}
				n, g, m, ok := p.PrivateEndpointConnection()
				if !ok {
					return clr.Null
				}
				return clr.Object(&record{"IPrivateEndpointConnection", []string{n, g, m}})
			}),
		),
		listed("IPrivateEndpointConnection", R("string Name", item(0)), R("string GroupId", item(1)), R("string MemberName", item(2))),
		listed("IResponse", R("IMessageBody Body", ref(Response.Body)), R(dict+"<string,string[]> Headers", func(_ f, x v) v { return headers(x.Ref().(Response).Headers()) }),
			R("int StatusCode", func(_ f, x v) v { return clr.Int(x.Ref().(Response).StatusCode()) }), R("string StatusReason", str(Response.StatusReason))),
		listed("IMessageBody", R("T As<T>(bool preserveContent = false) where T : class", bodyAs), R("IDictionary<string,IList<string>> AsFormUrlEncodedContent(bool preserveContent = false)", bodyForm)),
		listed("IUrl", R("string Scheme", str(URL.Scheme)), R("string Host", str(URL.Host)), R("int Port", func(_ f, a []v) v { return clr.Int(a[0].Ref().(URL).Port()) }), R("string Path", str(URL.Path)),
			R("string QueryString", str(URL.QueryString)), R(dict+"<string,string[]> Query", func(_ f, x v) v { return headers(x.Ref().(URL).Query()) }), R("Uri ToUri()", func(_ f, a []v) v { return lib.NewURI(a[0].Ref().(URL).String()) }),
			R("string ToString()", str(URL.String))),
		listed("IApi", R("string Id", str(API.APIID)), R("string Name", str(API.Name)), R("string Path", str(API.Path)), R("IEnumerable<string> Protocols", func(_ f, a []v) v { return clr.Strings(a[0].Ref().(API).Protocols()) }),
			R("IUrl ServiceUrl", ref(API.ServiceURL)), R("ISubscriptionKeyParameterNames SubscriptionKeyParameterNames", func(_ f, a []v) v {
				x := a[0].Ref().(API)
				return clr.Object(&record{"ISubscriptionKeyParameterNames", []string{x.SubscriptionKeyHeader(), x.SubscriptionKeyQuery()}})
			})),
		listed("IContextApi : IApi", R("bool IsCurrentRevision", flag(API.IsCurrentRevision)), R("string Revision", str(API.Revision)), R("string Version", str(API.Version))),
		listed("ISubscriptionKeyParameterNames", R("string Header", item(0)), R("string Query", item(1))),
		listed("IDeployment", R("string GatewayId", str(Deployment.GatewayID)), R("string Region", str(Deployment.Region)), R("string ServiceName", str(Deployment.ServiceName)), R("string ServiceId", str(Deployment.ServiceID)),
			R(dict+"<string,X509Certificate2> Certificates", func(_ f, a []v) v { return clr.Object(&certMap{a[0].Ref().(Deployment)}) }), R("IGateway Gateway", func(_ f, a []v) v { return clr.Object(&gateway{a[0].Ref().(Deployment)}) })),
		listed("IGateway", R("string Id", func(_ f, a []v) v { return clr.String(a[0].Ref().(*gateway).d.GatewayID()) }), R("string InstanceId", func(_ f, a []v) v { return clr.String(a[0].Ref().(*gateway).d.GatewayInstanceID()) }),
			R("bool IsManaged", func(_ f, a []v) v { return clr.Bool(a[0].Ref().(*gateway).d.IsManaged()) })),
		D("class Gateway.ProxyError", R("string Source", str(LastError.Source)), R("string Reason", str(LastError.Reason)), R("string Message", str(LastError.Message)), R("string Scope", str(LastError.Scope)), R("string Section", str(LastError.Section)),
			R("string Path", str(LastError.Path)), R("string PolicyId", str(LastError.PolicyID)), R("string ToString()", errorText)),
		listed("IOperation", R("string Id", str(Operation.OperationID)), R("string Method", str(Operation.Method)), R("string Name", str(Operation.Name)), R("string UrlTemplate", str(Operation.URLTemplate))),
		D("enum Gateway.ProductState { NotPublished, Published }"),
		listed("IProduct", R("string Id", str(Product.ProductID)), R("string Name", str(Product.Name)), R("bool ApprovalRequired", flag(Product.ApprovalRequired)), R("bool SubscriptionRequired", flag(Product.SubscriptionRequired)),
			R("int? SubscriptionLimit", limit), R("int? SubscriptionsLimit", limit), R("ProductState State", func(_ f, a []v) v {
				n := int64(0)
				if a[0].Ref().(Product).Published() {
					n = 1
				}
				return clr.Scalar(Universe().Lookup("Gateway.ProductState", 0), n)
			}),
			R("IEnumerable<IApi> Apis", func(_ f, a []v) v {
				list := a[0].Ref().(Product).APIs()
				out := make([]v, len(list))
				for i, x := range list {
					out[i] = clr.Object(x)
				}
				return clr.Object(clr.ArrOf(Universe().Lookup("Gateway.IApi", 0), out))
			}),
			R("IEnumerable<IGroup> Groups", func(_ f, a []v) v { return groups(a[0].Ref().(Product).Groups()) })),
		listed("IGroup", R("string Id", str(Group.GroupID)), R("string Name", str(Group.GroupName))),
		listed("ISubscription", R("string Id", str(Subscription.SubscriptionID)), R("string Name", str(Subscription.Name)), R("string Key", str(Subscription.Key)), R("string PrimaryKey", str(Subscription.PrimaryKey)), R("string SecondaryKey", str(Subscription.SecondaryKey)),
			R("DateTime CreatedDate", func(_ f, a []v) v { return lib.DateTime(a[0].Ref().(Subscription).CreatedDate()) }), R("DateTime CreatedTime", func(_ f, a []v) v { return lib.DateTime(a[0].Ref().(Subscription).CreatedDate()) }),
			R("DateTime? StartDate", moment(Subscription.StartDate)), R("DateTime? EndDate", moment(Subscription.EndDate))),
		listed("IUser", R("string Id", str(User.UserID)), R("string Email", str(User.Email)), R("string FirstName", str(User.FirstName)), R("string LastName", str(User.LastName)), R("string Note", str(User.Note)),
			R("DateTime RegistrationDate", func(_ f, a []v) v { return lib.DateTime(a[0].Ref().(User).RegistrationDate()) }), R("IEnumerable<IGroup> Groups", func(_ f, a []v) v { return groups(a[0].Ref().(User).Groups()) }),
			R("IEnumerable<IUserIdentity> Identities", func(_ f, a []v) v {
				list := a[0].Ref().(User).Identities()
				out := make([]v, len(list))
				for i, x := range list {
					out[i] = clr.Object(&record{"IUserIdentity", []string{x.ID, x.Provider}})
				}
				return clr.Object(clr.ArrOf(Universe().Lookup("Gateway.IUserIdentity", 0), out))
			})),
		listed("IUserIdentity", R("string Id", item(0)), R("string Provider", item(1))),
		D("class Gateway.BasicAuthCredentials", R("string UserId", item(0)), R("string Password", item(1)), R("string Username", item(0))),
		D("class Gateway.Authorization", R("string AccessToken", func(_ f, a []v) v { return clr.String(a[0].Ref().(*Authorization).AccessToken) }),
			R(dict+"<string,object> Claims", func(_ f, a []v) v { return clr.Object(&VariablesMap{a[0].Ref().(*Authorization).Claims}) })),
		jwtDecl(), extensions(),
	}
}

func limit(_ f, a []v) v {
	n, ok := a[0].Ref().(Product).SubscriptionLimit()
	if !ok {
		return clr.Null
	}
	return clr.Int(n)
}

func errorText(fr f, a []v) v {
	e := a[0].Ref().(LastError)
	var b strings.Builder
	b.WriteByte('{')
	for i, p := range [][2]string{{"source", e.Source()}, {"reason", e.Reason()}, {"message", e.Message()}, {"scope", e.Scope()}, {"section", e.Section()}, {"path", e.Path()}, {"policyId", e.PolicyID()}} {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(`"` + p[0] + `": ` + lib.Quote(p[1]))
	}
	return fr.Str(b.String() + "}")
}

// record is a small object of strings.
type record struct {
	name string
	vals []string
}

// RuntimeType is the object's type.
func (r *record) RuntimeType() *clr.Type { return Universe().Lookup("Gateway."+r.name, 0) }

func item(i int) clr.Getter {
	return func(_ f, x v) v { return clr.String(x.Ref().(*record).vals[i]) }
}

type gateway struct{ d Deployment }

// RuntimeType is IGateway.
func (*gateway) RuntimeType() *clr.Type { return Universe().Lookup("Gateway.IGateway", 0) }

type graphQL struct{ g GraphQL }

// RuntimeType is IGraphQL.
func (*graphQL) RuntimeType() *clr.Type { return Universe().Lookup("Gateway.IGraphQL", 0) }

func (g *graphQL) token(fr f, name string) v {
	s := ""
	switch strings.ToLower(name) {
	case "arguments":
		s = g.g.GraphQLArguments()
	case "parent":
		s = g.g.GraphQLParent()
	}
	if s == "" {
		return clr.Null
	}
	return lib.ParseJSON(fr, s, "JToken")
}

// Authorization is the result of get-authorization-context.
type Authorization struct {
	AccessToken string
	Claims      Variables
}

// RuntimeType is Authorization.
func (*Authorization) RuntimeType() *clr.Type { return Universe().Lookup("Gateway.Authorization", 0) }
