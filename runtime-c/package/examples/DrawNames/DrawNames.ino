// Draws a new name each second and prints it to the serial monitor (115200 baud).

#include <more.h>
#include <more_model.h>

static uint8_t memory[MORE_MODEL_MEMORY_BYTES];
static more *model;

void setup() {
  Serial.begin(115200);
  while (!Serial && millis() < 3000) {
    // On boards with USB, wait until the serial monitor is open.
  }

  more_status status = more_open(memory, sizeof memory, more_model, more_model_bytes, &model);
  if (status == MORE_OK) {
    status = more_self_test(model);
  }
  if (status != MORE_OK) {
    Serial.println(more_message(status));
    model = NULL;
    return;
  }

  // The same seed draws the same names on every board. For others, take a number that differs at each start,
  // such as analogRead() of an open pin.
  more_settings settings = more_defaults();
  settings.seed = 7;
  more_set(model, settings);
}

void loop() {
  if (model != NULL) {
    char name[32];
    more_word(model, NULL, name, sizeof name);
    Serial.println(name);
  }
  delay(1000);
}
