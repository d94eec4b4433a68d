package publish

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/portico-dev/portico/internal/snapshot"
	"github.com/portico-dev/portico/internal/store"
)

// The parts of documents, in the newest spelling, that snapshots are made of.

// servicePlace is what decides which machines get a service. No secret is in it.
type servicePlace struct {
	Location string `json:"location"`
	SKU      struct {
		Name string `json:"name"`
	} `json:"sku"`
}

type serviceDocument struct {
	servicePlace
	Properties struct {
		DisableGateway      bool `json:"disableGateway"`
		AdditionalLocations []struct {
			Location       string `json:"location"`
			DisableGateway bool   `json:"disableGateway"`
		} `json:"additionalLocations"`
		PublicNetworkAccess     string         `json:"publicNetworkAccess"`
		EnableClientCertificate bool           `json:"enableClientCertificate"`
		CustomProperties        map[string]any `json:"customProperties"`
		HostnameConfigurations  []struct {
			Type                       string `json:"type"`
			HostName                   string `json:"hostName"`
			DefaultSSLBinding          bool   `json:"defaultSslBinding"`
			NegotiateClientCertificate bool   `json:"negotiateClientCertificate"`
		} `json:"hostnameConfigurations"`
		Certificates []struct {
			StoreName   string `json:"storeName"`
			Certificate struct {
				Thumbprint string `json:"thumbprint"`
			} `json:"certificate"`
		} `json:"certificates"`
	} `json:"properties"`
	HostCertificates      map[string]keyPair `json:"hostCertificates"`      // by host name in lower case
	AuthorityCertificates map[string]keyPair `json:"authorityCertificates"` // by thumbprint
}

type keyPair struct {
	Certificate string `json:"certificate"`
	Key         string `json:"key"`
}

// locations are those of a service that is at several, and whether the gateway is disabled at all there are.
func (d *serviceDocument) locations() (all []snapshot.Location, disabled bool) {
	disabled = d.Properties.DisableGateway
	if len(d.Properties.AdditionalLocations) == 0 {
		return nil, disabled
	}
	all = []snapshot.Location{{Name: normalLocation(d.Location), Display: d.Location, Disabled: disabled}}
	for _, l := range d.Properties.AdditionalLocations {
		all = append(all, snapshot.Location{Name: normalLocation(l.Location), Display: l.Location, Disabled: l.DisableGateway})
		disabled = disabled && l.DisableGateway
	}
	return all, disabled
}

type policyDocument struct {
	Properties struct {
		Value string `json:"value"`
	} `json:"properties"`
}

type productDocument struct {
	Properties struct {
		DisplayName          string `json:"displayName"`
		State                string `json:"state"`
		SubscriptionRequired *bool  `json:"subscriptionRequired"` // true when absent
		ApprovalRequired     bool   `json:"approvalRequired"`
		SubscriptionsLimit   *int   `json:"subscriptionsLimit"`
	} `json:"properties"`
}

type subscriptionDocument struct {
	Properties struct {
		DisplayName  string     `json:"displayName"`
		Scope        string     `json:"scope"`
		State        string     `json:"state"`
		OwnerID      string     `json:"ownerId"`
		PrimaryKey   string     `json:"primaryKey"`
		SecondaryKey string     `json:"secondaryKey"`
		CreatedDate  time.Time  `json:"createdDate"`
		StartDate    *time.Time `json:"startDate"`
		EndDate      *time.Time `json:"endDate"`
	} `json:"properties"`
}

type userDocument struct {
	Properties struct {
		Email            string    `json:"email"`
		FirstName        string    `json:"firstName"`
		LastName         string    `json:"lastName"`
		Note             string    `json:"note"`
		State            string    `json:"state"`
		RegistrationDate time.Time `json:"registrationDate"`
		Identities       []struct {
			Provider string `json:"provider"`
			ID       string `json:"id"`
		} `json:"identities"`
	} `json:"properties"`
}

type groupDocument struct {
	Properties struct {
		DisplayName string `json:"displayName"`
	} `json:"properties"`
}

type namedValueDocument struct {
	Properties struct {
		DisplayName string  `json:"displayName"`
		Value       *string `json:"value"` // absent while a vault has not given it
	} `json:"properties"`
}

type backendDocument struct {
	Properties struct {
		URL      string `json:"url"`
		Protocol string `json:"protocol"`
		TLS      struct {
			ValidateCertificateChain *bool `json:"validateCertificateChain"` // true when absent
			ValidateCertificateName  *bool `json:"validateCertificateName"`  // true when absent
		} `json:"tls"`
		Credentials struct {
			Header        map[string]texts `json:"header"`
			Query         map[string]texts `json:"query"`
			Authorization struct {
				Scheme    string `json:"scheme"`
				Parameter string `json:"parameter"`
			} `json:"authorization"`
		} `json:"credentials"`
		Proxy struct {
			URL      string `json:"url"`
			Username string `json:"username"`
			Password string `json:"password"`
		} `json:"proxy"`
	} `json:"properties"`
}

type certificateDocument struct {
	Properties struct {
		Thumbprint string `json:"thumbprint"`
	} `json:"properties"`
	Pair keyPair `json:"pair"`
}

type apiDocument struct {
	Properties struct {
		DisplayName          string   `json:"displayName"`
		Path                 string   `json:"path"`
		APIRevision          string   `json:"apiRevision"`
		APIVersion           string   `json:"apiVersion"`
		APIVersionSetID      string   `json:"apiVersionSetId"`
		ServiceURL           string   `json:"serviceUrl"`
		Protocols            []string `json:"protocols"`
		SubscriptionRequired *bool    `json:"subscriptionRequired"` // true when absent
		KeyNames             struct {
			Header string `json:"header"`
			Query  string `json:"query"`
		} `json:"subscriptionKeyParameterNames"`
	} `json:"properties"`
}

type versionSetDocument struct {
	Properties struct {
		Scheme     string `json:"versioningScheme"`
		QueryName  string `json:"versionQueryName"`
		HeaderName string `json:"versionHeaderName"`
	} `json:"properties"`
}

type operationDocument struct {
	Properties struct {
		DisplayName string `json:"displayName"`
		Method      string `json:"method"`
		URLTemplate string `json:"urlTemplate"`
		Responses   []struct {
			StatusCode      int `json:"statusCode"`
			Representations []struct {
				ContentType string `json:"contentType"`
				Sample      string `json:"sample"`
				SchemaID    string `json:"schemaId"`
				TypeName    string `json:"typeName"`
				Examples    map[string]struct {
					Value json.RawMessage `json:"value"`
				} `json:"examples"`
			} `json:"representations"`
		} `json:"responses"`
	} `json:"properties"`
}

// texts is a list of strings, of which clients write a single one without brackets.
type texts []string

// UnmarshalJSON accepts both forms.
func (t *texts) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*t = texts{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(t))
}

var sealedMark = []byte(`"$sealed"`)

// decode reads the client's part of a document into v, with secrets in the clear.
func (p *Publisher) decode(d store.Document, v any) error {
	raw := []byte(d.Desired)
	if bytes.Contains(raw, sealedMark) {
		o, err := p.open(d)
		if err != nil {
			return err
		}
		if raw, err = json.Marshal(o); err != nil {
			return fmt.Errorf("encode %s: %w", d.ID, err)
		}
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("decode %s: %w", d.ID, err)
	}
	return nil
}

func orTrue(b *bool) bool { return b == nil || *b }

// splitRevision cuts "echo;rev=2" into "echo" and "2"; without a revision the second is empty.
func splitRevision(name string) (api, revision string) {
	i := strings.LastIndex(strings.ToLower(name), ";rev=")
	if i < 0 {
		return name, ""
	}
	return name[:i], name[i+len(";rev="):]
}
