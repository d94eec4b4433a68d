package management

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des" //nolint:gosec // files of others are read
	"crypto/pbkdf2"
	"crypto/sha1" //nolint:gosec // the default of the format
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"hash"
)

// errPassword is returned for a key that a password does not open.
var errPassword = errors.New("the password does not open the key")

// errEncryption is returned for a key that is encrypted as none is here.
var errEncryption = errors.New("the key is encrypted in a way that is not known")

// An encryptedKey is the content of the PEM block ENCRYPTED PRIVATE KEY (RFC 5958).
type encryptedKey struct {
	Algorithm pkix.AlgorithmIdentifier
	Data      []byte
}

// pbes2 and pbkdf2Params are the parameters of password-based encryption (RFC 8018).
type pbes2 struct{ Derivation, Scheme pkix.AlgorithmIdentifier }

type pbkdf2Params struct {
	Salt       []byte
	Iterations int
	KeyLength  int                      `asn1:"optional"`
	PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
}

var (
	oidPBES2  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}

	// hashes are those of HMAC, by object identifier; none means SHA-1.
	hashes = map[string]func() hash.Hash{
		"": sha1.New, "1.2.840.113549.2.7": sha1.New, "1.2.840.113549.2.9": sha256.New, "1.2.840.113549.2.10": sha512.New384, "1.2.840.113549.2.11": sha512.New,
	}
	// schemes are ciphers in CBC mode, with the length of their keys.
	schemes = map[string]struct {
		open func([]byte) (cipher.Block, error)
		key  int
	}{
		"2.16.840.1.101.3.4.1.2": {aes.NewCipher, 16}, "2.16.840.1.101.3.4.1.22": {aes.NewCipher, 24}, "2.16.840.1.101.3.4.1.42": {aes.NewCipher, 32},
		"1.2.840.113549.3.7": {des.NewTripleDESCipher, 24}, //nolint:gosec // as above
	}
)

// openPKCS8 opens an encrypted private key: what OpenSSL and others write by default.
func openPKCS8(der []byte, password string) (any, error) {
	var sealed encryptedKey
	var how pbes2
	var derive pbkdf2Params
	if rest, err := asn1.Unmarshal(der, &sealed); err != nil || len(rest) > 0 || !sealed.Algorithm.Algorithm.Equal(oidPBES2) {
		return nil, errEncryption
	}
	if _, err := asn1.Unmarshal(sealed.Algorithm.Parameters.FullBytes, &how); err != nil || !how.Derivation.Algorithm.Equal(oidPBKDF2) {
		return nil, errEncryption
	}
	if _, err := asn1.Unmarshal(how.Derivation.Parameters.FullBytes, &derive); err != nil || derive.Iterations < 1 || derive.Iterations > maxIterations {
		return nil, errEncryption
	}
	scheme, known := schemes[how.Scheme.Algorithm.String()]
	digest := hashes[derive.PRF.Algorithm.String()]
	var iv []byte
	if _, err := asn1.Unmarshal(how.Scheme.Parameters.FullBytes, &iv); err != nil || !known || digest == nil {
		return nil, errEncryption
	}
	key, err := pbkdf2.Key(digest, password, derive.Salt, derive.Iterations, scheme.key)
	if err != nil {
		return nil, err
	}
	block, err := scheme.open(key)
	if err != nil {
		return nil, err
	}
	plain, err := decryptCBC(block, iv, sealed.Data)
	if err != nil {
		return nil, err
	}
	opened, err := x509.ParsePKCS8PrivateKey(plain)
	if err != nil {
		return nil, errPassword // a wrong one may leave a padding that looks right
	}
	return opened, nil
}

// decryptCBC decrypts and takes the padding off.
func decryptCBC(block cipher.Block, iv, data []byte) ([]byte, error) {
	size := block.BlockSize()
	if len(iv) != size || len(data) == 0 || len(data)%size != 0 {
		return nil, errEncryption
	}
	plain := make([]byte, len(data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, data)
	n := int(plain[len(plain)-1])
	if n == 0 || n > size || !bytes.HasSuffix(plain, bytes.Repeat([]byte{byte(n)}, n)) {
		return nil, errPassword
	}
	return plain[:len(plain)-n], nil
}
