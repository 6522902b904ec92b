import java.io.File;
import java.security.Key;
import java.security.KeyStore;
import java.util.Base64;

/** Prints a private key of a key store as PEM, which keytool cannot. Run from source: STORE PASSWORD ALIAS. */
public class KeyToPem {
  public static void main(String[] args) throws Exception {
    char[] password = args[1].toCharArray();
    Key key = KeyStore.getInstance(new File(args[0]), password).getKey(args[2], password);
    String text = Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(key.getEncoded());
    System.out.print("-----BEGIN PRIVATE KEY-----\n" + text + "\n-----END PRIVATE KEY-----\n");
  }
}
