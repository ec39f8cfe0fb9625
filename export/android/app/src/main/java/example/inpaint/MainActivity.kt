package example.inpaint

import android.app.Activity
import android.graphics.BitmapFactory
import android.os.Bundle
import android.widget.ImageView
import kotlin.concurrent.thread

/** Shows `photo.png` from the assets with the white part of `mask.png` filled. */
class MainActivity : Activity() {
    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        val view = ImageView(this)
        setContentView(view)
        thread {
            val photo = assets.open("photo.png").use(BitmapFactory::decodeStream)
            val mask = assets.open("mask.png").use(BitmapFactory::decodeStream)
            val values = IntArray(mask.width * mask.height)
            mask.getPixels(values, 0, mask.width, 0, 0, mask.width, mask.height)
            val hole = BooleanArray(values.size) { values[it] and 0xff >= 128 }
            val completed = Completer(assets).use { it.complete(photo, hole) }
            runOnUiThread { view.setImageBitmap(completed) }
        }
    }
}
