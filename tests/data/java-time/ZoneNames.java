import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeFormatterBuilder;
import java.time.format.TextStyle;
import java.time.temporal.TemporalQueries;
import java.time.zone.ZoneRulesProvider;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TimeZone;
import java.util.TreeMap;
import java.util.TreeSet;

/** Writes services/ksql/functions/zone_names.json: {@code java ZoneNames.java > zone_names.json}. */
public class ZoneNames {
  private static final Map<String, String> SYSTEM_V = Map.ofEntries(
      Map.entry("PST8PDT", "America/Los_Angeles"), Map.entry("MST7MDT", "America/Denver"),
      Map.entry("CST6CDT", "America/Chicago"), Map.entry("EST5EDT", "America/New_York"),
      Map.entry("AST4ADT", "America/Halifax"), Map.entry("YST9YDT", "America/Anchorage"),
      Map.entry("HST10", "Pacific/Honolulu"), Map.entry("MST7", "America/Phoenix"),
      Map.entry("EST5", "America/Panama"), Map.entry("CST6", "America/Regina"),
      Map.entry("PST8", "Pacific/Pitcairn"), Map.entry("AST4", "America/Puerto_Rico"),
      Map.entry("YST9", "Pacific/Gambier"));

  public static void main(String[] arguments) {
    Locale english = Locale.ENGLISH;
    Map<List<String>, Integer> numbers = new LinkedHashMap<>();
    Map<String, Integer> regions = new TreeMap<>();
    TreeSet<String> shortNames = new TreeSet<>();
    TreeSet<String> longNames = new TreeSet<>();
    for (String id : new TreeSet<>(ZoneRulesProvider.getAvailableZoneIds())) {
      if (id.startsWith("SystemV/")) {
        continue;
      }
      List<String> names = new ArrayList<>();
      TimeZone zone = TimeZone.getTimeZone(id);
      for (int style : new int[] {TimeZone.SHORT, TimeZone.LONG}) {
        names.add(zone.getDisplayName(false, style, english));
        names.add(zone.getDisplayName(true, style, english));
      }
      shortNames.addAll(names.subList(0, 2));
      longNames.addAll(names.subList(2, 4));
      longNames.add(zone.getDisplayName(false, TimeZone.LONG, Locale.ROOT));
      longNames.add(zone.getDisplayName(true, TimeZone.LONG, Locale.ROOT));
      shortNames.add(DateTimeFormatter.ofPattern("v", english).format(java.time.Instant.EPOCH.atZone(ZoneId.of(id))));
      longNames.add(DateTimeFormatter.ofPattern("vvvv", english).format(java.time.Instant.EPOCH.atZone(ZoneId.of(id))));
      numbers.putIfAbsent(names, numbers.size());
      regions.put(id, numbers.get(names));
    }
    StringBuilder out = new StringBuilder("{\"names\": [\n");
    int count = 0;
    for (List<String> names : numbers.keySet()) {
      out.append("[\"").append(String.join("\", \"", names)).append("\"]").append(++count < numbers.size() ? ",\n" : "],\n");
    }
    out.append("\"regions\": {\n");
    count = 0;
    for (Map.Entry<String, Integer> region : regions.entrySet()) {
      out.append("\"" + region.getKey() + "\": " + region.getValue()).append(++count < regions.size() ? ",\n" : "},\n");
    }
    write(out, "short", shortNames, TextStyle.SHORT);
    write(out, "long", longNames, TextStyle.FULL);
    System.out.print(out.substring(0, out.length() - 2) + "}\n");
  }

  /** Which zone each name is read as. */
  private static void write(StringBuilder out, String title, TreeSet<String> names, TextStyle style) {
    List<String> lines = new ArrayList<>();
    for (String name : names) {
      for (Locale locale : new Locale[] {Locale.ROOT, Locale.ENGLISH}) {
        try {
          DateTimeFormatter formatter = new DateTimeFormatterBuilder().parseCaseInsensitive().appendZoneText(style).toFormatter(locale);
          String id = formatter.parse(name).query(TemporalQueries.zone()).getId();
          id = id.startsWith("SystemV/") ? SYSTEM_V.get(id.substring(8)) : id;
          lines.add("\"" + name + "\": \"" + id + "\"");
          break;
        } catch (java.time.DateTimeException error) {
          // no name in this locale
        }
      }
    }
    out.append("\"" + title + "\": {\n").append(String.join(",\n", lines)).append("},\n");
  }
}
