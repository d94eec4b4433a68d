package lib

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/md5" //nolint:gosec // expressions ask for it by name
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // expressions ask for it by name
	"crypto/sha256"
	"crypto/sha512"
	gohash "hash"
	"slices"
	"strings"

	"github.com/portico-dev/portico/internal/csharp/clr"
)

const cns = "System.Security.Cryptography."

// hasher is a HashAlgorithm or HMAC.
type hasher struct {
	name string // the class
	make func() gohash.Hash
	key  []byte
	last []byte
}

// RuntimeType is the algorithm's class.
func (h *hasher) RuntimeType() *clr.Type { return named(cns + h.name) }

func (h *hasher) sum(f F, b []byte) V {
	f.Step(len(b) / 16)
	x := h.make()
	if h.key != nil {
		x = hmac.New(h.make, h.key)
	}
	x.Write(b)
	h.last = x.Sum(nil)
	return clr.Bytes(h.last)
}

// setKey gives an HMAC its key; one that is longer than a block is hashed first.
func (h *hasher) setKey(key []byte) {
	h.key = slices.Clone(key)
	if x := h.make(); len(key) > x.BlockSize() {
		x.Write(key)
		h.key = x.Sum(nil)
	}
}

func newHMAC(name string, mk func() gohash.Hash, key []byte) V {
	h := &hasher{name: "HMAC" + name, make: mk}
	h.setKey(key)
	return clr.Object(h)
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

var hashMakers = map[string]func() gohash.Hash{"MD5": md5.New, "SHA1": sha1.New, "SHA256": sha256.New, "SHA384": sha512.New384, "SHA512": sha512.New}

var hashIDs = map[string]crypto.Hash{"MD5": crypto.MD5, "SHA1": crypto.SHA1, "SHA256": crypto.SHA256, "SHA384": crypto.SHA384, "SHA512": crypto.SHA512}

// rsaKey is an RSA, with or without private part.
type rsaKey struct {
	pub  *rsa.PublicKey
	priv *rsa.PrivateKey
}

// RuntimeType is RSA.
func (*rsaKey) RuntimeType() *clr.Type { return named(cns + "RSA") }

// symmetric is a SymmetricAlgorithm: AES, CBC with PKCS7 as it comes.
type symmetric struct{ key, iv []byte }

// RuntimeType is SymmetricAlgorithm.
func (*symmetric) RuntimeType() *clr.Type { return named(cns + "SymmetricAlgorithm") }

// label is a value that is a name: HashAlgorithmName, RSASignaturePadding ….
type label struct{ t, name string }

// RuntimeType is the label's type.
func (l *label) RuntimeType() *clr.Type { return named(cns + l.t) }

// Text is the name.
func (l *label) Text(F) string { return l.name }

// Equal compares names.
func (l *label) Equal(_ F, v V) bool { o, ok := v.Ref().(*label); return ok && *o == *l }

func nameOf(v V, param string) string {
	l, ok := v.Ref().(*label)
	if !ok {
		clr.ThrowArgNull(param)
	}
	return l.name
}

func labelRows(t string, names ...string) []clr.Row {
	var rows []clr.Row
	for _, n := range names {
		v := clr.Object(&label{t, n})
		rows = append(rows, R("static "+t+" "+n, func(F, []V) V { return v }))
	}
	return rows
}

func cryptoError(msg string) { clr.Throw(clr.ExCrypto, msg) }

// hashID finds a hash algorithm by its name.
func hashID(name string) crypto.Hash {
	if name == "" {
		clr.ThrowArg(clr.ExArgument, "The hash algorithm name cannot be null or empty.", "hashAlgorithm")
	}
	id, ok := hashIDs[name]
	if !ok {
		cryptoError("'" + name + "' is not a known hash algorithm.")
	}
	return id
}

// digest is the hash that SignData and VerifyData make of their data.
func digest(id crypto.Hash, b []byte) []byte {
	h := id.New()
	h.Write(b)
	return h.Sum(nil)
}

func (k *rsaKey) sign(id crypto.Hash, sum []byte, padding string) V {
	if k.priv == nil {
		cryptoError("Key does not exist.")
	}
	var out []byte
	var err error
	if padding == "Pss" {
		out, err = rsa.SignPSS(rand.Reader, k.priv, id, sum, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	} else {
		out, err = rsa.SignPKCS1v15(rand.Reader, k.priv, id, sum)
	}
	if err != nil {
		cryptoError("The signature could not be made.")
	}
	return clr.Bytes(out)
}

func (k *rsaKey) verify(id crypto.Hash, sum, sig []byte, padding string) V {
	if padding == "Pss" {
		return clr.Bool(rsa.VerifyPSS(k.pub, id, sum, sig, nil) == nil)
	}
	return clr.Bool(rsa.VerifyPKCS1v15(k.pub, id, sum, sig) == nil)
}

func (k *rsaKey) crypt(b []byte, padding string, encrypt bool) V {
	var out []byte
	var err error
	oaep := map[string]func() gohash.Hash{"OaepSHA1": sha1.New, "OaepSHA256": sha256.New, "OaepSHA384": sha512.New384, "OaepSHA512": sha512.New}[padding]
	switch {
	case !encrypt && k.priv == nil:
		cryptoError("Key does not exist.")
	case encrypt && oaep != nil:
		out, err = rsa.EncryptOAEP(oaep(), rand.Reader, k.pub, b, nil)
	case encrypt:
		//lint:ignore SA1019 .NET has it, and policies choose it
		out, err = rsa.EncryptPKCS1v15(rand.Reader, k.pub, b) //nolint:staticcheck // likewise
	case oaep != nil:
		out, err = rsa.DecryptOAEP(oaep(), nil, k.priv, b, nil)
	default:
		//lint:ignore SA1019 .NET has it, and policies choose it
		out, err = rsa.DecryptPKCS1v15(nil, k.priv, b) //nolint:staticcheck // likewise
	}
	if err != nil {
		cryptoError("The parameter is incorrect.")
	}
	return clr.Bytes(out)
}

// cbc encrypts or decrypts with AES, CBC and PKCS7.
func cbc(f F, data, key, iv []byte, encrypt bool) V {
	f.Alloc(len(data) + 32)
	block, err := aes.NewCipher(key)
	if err != nil {
		clr.Throw(clr.ExCrypto, "Specified key is not a valid size for this algorithm.")
	}
	if len(iv) != aes.BlockSize {
		clr.Throw(clr.ExCrypto, "Specified initialization vector (IV) does not match the block size for this algorithm.")
	}
	if encrypt {
		n := aes.BlockSize - len(data)%aes.BlockSize
		out := append(append([]byte{}, data...), []byte(strings.Repeat(string(rune(n)), n))...)
		cipher.NewCBCEncrypter(block, iv).CryptBlocks(out, out)
		return clr.Bytes(out)
	}
	if len(data) == 0 || len(data)%aes.BlockSize != 0 {
		cryptoError("The input data is not a complete block.")
	}
	out := make([]byte, len(data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(out, data)
	n := int(out[len(out)-1])
	if n == 0 || n > aes.BlockSize || strings.Trim(string(out[len(out)-n:]), string(rune(n))) != "" {
		cryptoError("Padding is invalid and cannot be removed.")
	}
	return clr.Bytes(out[:len(out)-n])
}

func cryptoDecls() []clr.Decl {
	h := func(v V) *hasher { return v.Ref().(*hasher) }
	var out []clr.Decl
	out = append(out,
		D("class "+cns+"HashAlgorithm : IDisposable",
			R("byte[] ComputeHash(byte[] buffer)", func(f F, a []V) V { return h(a[0]).sum(f, bytesOf(a[1], "buffer")) }),
			R("byte[] ComputeHash(byte[] buffer, int offset, int count)", func(f F, a []V) V {
				b := bytesOf(a[1], "buffer")
				i, n := a[2].Int(), a[3].Int()
				switch {
				case i < 0:
					clr.ThrowRange("offset", "Non-negative number required.")
				case n < 0 || n > int64(len(b)):
					clr.Throw(clr.ExArgument, "Value was invalid.")
				case i+n > int64(len(b)):
					clr.Throw(clr.ExArgument, spanMessage)
				}
				return h(a[0]).sum(f, b[i:i+n])
			}),
			R("int HashSize", func(_ F, a []V) V { return clr.Int(h(a[0]).make().Size() * 8) }),
			R("byte[] Hash", func(_ F, a []V) V {
				if h(a[0]).last == nil {
					return clr.Null
				}
				return clr.Bytes(slices.Clone(h(a[0]).last))
			}),
			R("void Clear()", func(F, []V) V { return clr.Null }), R("void Dispose()", func(F, []V) V { return clr.Null }), R("void Initialize()", func(F, []V) V { return clr.Null }),
		),
		D("class "+cns+"KeyedHashAlgorithm : HashAlgorithm", RW("byte[] Key", func(_ F, a []V) V { return clr.Bytes(slices.Clone(h(a[0]).key)) }, func(_ F, a []V) V {
			h(a[0]).setKey(bytesOf(a[1], "value"))
			return clr.Null
		})),
		D("class "+cns+"HMAC : KeyedHashAlgorithm"),
	)
	for _, name := range []string{"MD5", "SHA1", "SHA256", "SHA384", "SHA512"} {
		mk := hashMakers[name]
		out = append(out,
			D("class "+cns+name+" : HashAlgorithm", R("static "+name+" Create()", func(F, []V) V { return clr.Object(&hasher{name: name, make: mk}) }),
				R("static byte[] HashData(byte[] source)", func(f F, a []V) V { return (&hasher{name: name, make: mk}).sum(f, bytesOf(a[0], "source")) })),
			D("class "+cns+"HMAC"+name+" : HMAC",
				R("new()", func(F, []V) V { return newHMAC(name, mk, randomBytes(mk().BlockSize())) }),
				R("new(byte[] key)", func(_ F, a []V) V { return newHMAC(name, mk, bytesOf(a[0], "key")) })),
		)
		if name != "MD5" {
			out = append(out, D("class "+cns+name+"Managed : "+name, R("new()", func(F, []V) V { return clr.Object(&hasher{name: name + "Managed", make: mk}) })))
		}
	}
	sym := func(v V) *symmetric { return v.Ref().(*symmetric) }
	key := func(v V) *rsaKey { return v.Ref().(*rsaKey) }
	return append(out,
		D("enum "+cns+"CipherMode { CBC = 1, ECB = 2, OFB = 3, CFB = 4, CTS = 5 }"), D("enum "+cns+"PaddingMode { None = 1, PKCS7 = 2, Zeros = 3, ANSIX923 = 4, ISO10126 = 5 }"),
		D("struct "+cns+"HashAlgorithmName", append(labelRows("HashAlgorithmName", "MD5", "SHA1", "SHA256", "SHA384", "SHA512"),
			R("new(string name)", func(_ F, a []V) V { return clr.Object(&label{"HashAlgorithmName", a[0].Str()}) }),
			R("string Name", func(_ F, a []V) V { return clr.String(nameOf(a[0], "name")) }), R("string ToString()", toStringRow),
			R("bool Equals(HashAlgorithmName other)", equalsRow), R("static bool operator ==(HashAlgorithmName left, HashAlgorithmName right)", equalsRow),
			R("static bool operator !=(HashAlgorithmName left, HashAlgorithmName right)", func(f F, a []V) V { return clr.Bool(!equalsRow(f, a).Bool()) }))...),
		D("class "+cns+"RSASignaturePadding", labelRows("RSASignaturePadding", "Pkcs1", "Pss")...),
		D("class "+cns+"RSAEncryptionPadding", labelRows("RSAEncryptionPadding", "Pkcs1", "OaepSHA1", "OaepSHA256", "OaepSHA384", "OaepSHA512")...),
		oidDecl(),
		D("class "+cns+"AsymmetricAlgorithm : IDisposable", R("int KeySize", func(_ F, a []V) V { return clr.Int(key(a[0]).pub.N.BitLen()) }), R("void Dispose()", func(F, []V) V { return clr.Null })),
		D("class "+cns+"RSA : AsymmetricAlgorithm",
			R("byte[] SignData(byte[] data, HashAlgorithmName hashAlgorithm, RSASignaturePadding padding)", func(f F, a []V) V {
				data, id := bytesOf(a[1], "data"), hashID(nameOf(a[2], "hashAlgorithm"))
				f.Step(5000)
				return key(a[0]).sign(id, digest(id, data), nameOf(a[3], "padding"))
			}),
			R("byte[] SignHash(byte[] hash, HashAlgorithmName hashAlgorithm, RSASignaturePadding padding)", func(f F, a []V) V {
				hash, id := bytesOf(a[1], "hash"), hashID(nameOf(a[2], "hashAlgorithm"))
				f.Step(5000)
				return key(a[0]).sign(id, hash, nameOf(a[3], "padding"))
			}),
			R("bool VerifyData(byte[] data, byte[] signature, HashAlgorithmName hashAlgorithm, RSASignaturePadding padding)", func(f F, a []V) V {
				data, sig, id := bytesOf(a[1], "data"), bytesOf(a[2], "signature"), hashID(nameOf(a[3], "hashAlgorithm"))
				return key(a[0]).verify(id, digest(id, data), sig, nameOf(a[4], "padding"))
			}),
			R("bool VerifyHash(byte[] hash, byte[] signature, HashAlgorithmName hashAlgorithm, RSASignaturePadding padding)", func(_ F, a []V) V {
				hash, sig, id := bytesOf(a[1], "hash"), bytesOf(a[2], "signature"), hashID(nameOf(a[3], "hashAlgorithm"))
				return key(a[0]).verify(id, hash, sig, nameOf(a[4], "padding"))
			}),
			R("byte[] Encrypt(byte[] data, RSAEncryptionPadding padding)", func(_ F, a []V) V { return key(a[0]).crypt(bytesOf(a[1], "data"), nameOf(a[2], "padding"), true) }),
			R("byte[] Decrypt(byte[] data, RSAEncryptionPadding padding)", func(_ F, a []V) V { return key(a[0]).crypt(bytesOf(a[1], "data"), nameOf(a[2], "padding"), false) }),
		),
		D("class "+cns+"SymmetricAlgorithm : IDisposable",
			R("static SymmetricAlgorithm Create()", func(F, []V) V { return clr.Object(newSymmetric()) }),
			R("static SymmetricAlgorithm Create(string algName)", func(_ F, a []V) V { checkCipher(text(a[0], "algName")); return clr.Object(newSymmetric()) }),
			RW("byte[] Key", func(_ F, a []V) V { return clr.Bytes(slices.Clone(sym(a[0]).key)) }, func(_ F, a []V) V { sym(a[0]).key = slices.Clone(bytesOf(a[1], "value")); return clr.Null }),
			RW("byte[] IV", func(_ F, a []V) V { return clr.Bytes(slices.Clone(sym(a[0]).iv)) }, func(_ F, a []V) V { sym(a[0]).iv = slices.Clone(bytesOf(a[1], "value")); return clr.Null }),
			R("int BlockSize", func(F, []V) V { return clr.Int(128) }), R("int KeySize", func(_ F, a []V) V { return clr.Int(len(sym(a[0]).key) * 8) }),
			R("CipherMode Mode", func(F, []V) V { return clr.Scalar(named(cns+"CipherMode"), 1) }), R("PaddingMode Padding", func(F, []V) V { return clr.Scalar(named(cns+"PaddingMode"), 2) }),
			R("void GenerateKey()", func(_ F, a []V) V { sym(a[0]).key = newSymmetric().key; return clr.Null }), R("void GenerateIV()", func(_ F, a []V) V { sym(a[0]).iv = newSymmetric().iv; return clr.Null }),
			R("void Dispose()", func(F, []V) V { return clr.Null }),
		),
		D("class "+cns+"RNGCryptoServiceProvider : IDisposable", R("new()", func(F, []V) V { return clr.Object(&plain{}) }),
			R("void GetBytes(byte[] data)", func(_ F, a []V) V { _, _ = rand.Read(bytesOf(a[1], "data")); return clr.Null })),
		D("static class Gateway.CryptoExtensions", cipherRows()...),
	)
}

func newSymmetric() *symmetric {
	return &symmetric{randomBytes(32), randomBytes(16)}
}

func checkCipher(name string) {
	switch strings.ToLower(name) {
	case "aes", "aesmanaged", "aescryptoserviceprovider", "rijndael", "rijndaelmanaged":
	default:
		clr.Throw(clr.ExArgument, "The algorithm '"+name+"' is not supported.")
	}
}

func cipherRows() []clr.Row {
	var rows []clr.Row
	for _, enc := range []bool{true, false} {
		name := map[bool]string{true: "Encrypt", false: "Decrypt"}[enc]
		rows = append(rows,
			R("static byte[] "+name+"(this byte[] input, string alg, byte[] key, byte[] iv)", func(f F, a []V) V {
				checkCipher(text(a[1], "alg"))
				return cbc(f, bytesOf(a[0], "input"), bytesOf(a[2], "key"), bytesOf(a[3], "iv"), enc)
			}),
			R("static byte[] "+name+"(this byte[] input, SymmetricAlgorithm alg)", func(f F, a []V) V {
				s := notNull(a[1], "alg").Ref().(*symmetric)
				return cbc(f, bytesOf(a[0], "input"), s.key, s.iv, enc)
			}),
			R("static byte[] "+name+"(this byte[] input, SymmetricAlgorithm alg, byte[] key, byte[] iv)", func(f F, a []V) V {
				return cbc(f, bytesOf(a[0], "input"), bytesOf(a[2], "key"), bytesOf(a[3], "iv"), enc)
			}))
	}
	return rows
}
