package lib

import (
	"strings"

	"github.com/portico-dev/portico/internal/csharp/clr"
)

// refusedTypes are types of .NET that the sandbox does not have. They are known
// so that the finding names them instead of an unknown name.
const refusedTypes = `System.Environment System.AppDomain System.GC System.Activator System.Console System.Diagnostics.Process System.Diagnostics.Debug
System.Diagnostics.Stopwatch System.IO.File System.IO.FileInfo System.IO.Directory System.IO.DirectoryInfo System.IO.Path System.IO.Stream System.IO.MemoryStream
System.IO.StreamReader System.IO.StreamWriter System.IO.FileStream System.IO.BinaryReader System.IO.BinaryWriter System.Globalization.CultureInfo
System.Globalization.NumberFormatInfo System.Globalization.DateTimeFormatInfo System.Net.Http.HttpClient System.Net.WebClient System.Net.WebRequest System.Net.Dns
System.Net.Sockets.Socket System.Net.Sockets.TcpClient System.Reflection.Assembly System.Reflection.MethodInfo System.Threading.Thread System.Threading.Monitor
System.Threading.Interlocked System.Threading.ThreadPool System.Threading.Timer System.Threading.CancellationToken System.Threading.Tasks.Task System.Threading.Tasks.Parallel
System.Runtime.InteropServices.Marshal System.Security.Cryptography.Aes System.Security.Cryptography.AesManaged System.Security.Cryptography.AesCryptoServiceProvider
System.Security.Cryptography.RijndaelManaged System.Security.Cryptography.Rijndael System.Security.Cryptography.RSACng System.Security.Cryptography.RSACryptoServiceProvider
System.Security.Cryptography.ECDsa System.Security.Cryptography.DES System.Security.Cryptography.TripleDES System.Security.Cryptography.RandomNumberGenerator
System.Security.Cryptography.Rfc2898DeriveBytes System.Security.Cryptography.X509Certificates.X509Store System.Security.Cryptography.X509Certificates.X509Chain
System.Text.UTF8Encoding System.Text.ASCIIEncoding System.Text.UnicodeEncoding System.Text.Json.JsonSerializer System.Buffer System.BitOperations System.Version
System.Web.HttpUtility System.Web.HttpContext Newtonsoft.Json.JsonSerializer Newtonsoft.Json.JsonSerializerSettings Newtonsoft.Json.JsonTextReader Newtonsoft.Json.JsonReader
Newtonsoft.Json.JsonWriter Newtonsoft.Json.JsonTextWriter System.Xml.Serialization.XmlSerializer System.Data.DataTable System.Collections.ArrayList System.Collections.Hashtable
System.Attribute System.DBNull System.Threading.Tasks.TaskCompletionSource`

func refusedDecls() []clr.Decl {
	var out []clr.Decl
	for name := range strings.FieldsSeq(refusedTypes) {
		d := clr.Decl{Sig: "class " + name, Access: clr.AccessNone}
		if strings.HasSuffix(name, ".RSACng") {
			d.Sig += " : RSA"
		}
		if strings.HasSuffix(name, "Info") && strings.Contains(name, "Globalization") {
			d.Sig += " : IFormatProvider"
		}
		out = append(out, d)
	}
	return out
}
